"""`heyan-bench models-compare`: packs side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.machine import describe_machine
from benchmarks.pack_comparison import TARGET_FMR, Compared, compare_packs, images_of
from benchmarks.pairs_file import Pair, read_pairs
from benchmarks.photos import portrait_pair
from benchmarks.report.document import Chart, Report, Section
from models.engine import Engine
from models.packs import find_pack
from models.prepare import default_data_dir


def models_compare(
    images: Annotated[Path, typer.Option(help="folder of the images", exists=True, file_okay=False)],
    pairs: Annotated[Path, typer.Option(help="CSV: fold,image_a,image_b,same", exists=True, dir_okay=False)],
    pack: Annotated[list[str], typer.Option(help="model pack: a name, or a directory with a slash; once for each")],
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved comparisons")] = 30,
) -> None:
    """Accuracy, FNMR at FMR 0.1 %, failures to acquire, time of a comparison, size and licence of prepared packs."""
    cv2.setNumThreads(1)
    data_dir = default_data_dir()
    with explained():
        listed = read_pairs(pairs)
        engines = {title: Engine.open(data_dir=data_dir, pack=name) for title, name in _titled(pack).items()}
        photos = portrait_pair(None, data_dir=data_dir)
        with _progress() as progress:
            task = progress.add_task("images, then rounds", total=len(engines) * len(images_of(listed)) + rounds)
            found = compare_packs(
                engines,
                images=images,
                pairs=listed,
                photos=photos,
                data_dir=data_dir,
                rounds=rounds,
                advance=lambda: progress.advance(task),
            )
        report = _report(found, listed, rounds=rounds)
        deliver(report, {"packs": _figures(found)}, as_json=as_json, html=html, docs=docs)


def _titled(packs: Sequence[str]) -> dict[str, str]:
    """Packs by what their manifests call them; by their names where two are called the same."""
    titles = {name: find_pack(name).title for name in dict.fromkeys(packs)}
    called = Counter(titles.values())
    return {title if called[title] == 1 else name: name for name, title in titles.items()}


def _figures(found: Mapping[str, Compared]) -> dict[str, object]:
    return {
        title: {
            "contract": each.contract,
            "licence": each.found.pack.licence,
            "models": {name: entry.sha256 for name, entry in each.found.models.items()},
            **asdict(each.recognised),
            "median_ms": round(each.timed.median, 3),
            "quartiles_apart_ms": round(each.timed.spread, 3),
            "megabytes": round(each.megabytes, 2),
        }
        for title, each in found.items()
    }


def _report(found: Mapping[str, Compared], pairs: tuple[Pair, ...], *, rounds: int) -> Report:
    genuine, images = sum(pair.same for pair in pairs), len(images_of(pairs))
    note = (
        f"{genuine:,} genuine pairs and {len(pairs) - genuine:,} others for the accuracy; for FMR all of the "
        f"{images:,} images of different people, each pack at a threshold of its own, which is not its policy's. Time: "
        "from two photos' bytes to their similarity, one thread, medians of "
        f"{rounds} interleaved rounds (quartiles apart). Size: the weight files as they come."
    )
    return Report(
        command="heyan-bench models-compare",
        verdict=_verdict(found),
        sections=(
            Section(
                title=f"{len(found)} packs on {len(pairs):,} pairs",
                headings=(
                    "pack",
                    "accuracy, 95 %",
                    f"cosine at FMR {TARGET_FMR:.1%}",
                    "FNMR there, at most (95 %)",
                    "no face found",
                    "ms a comparison",
                    "MB",
                ),
                rows=tuple(_row(title, each) for title, each in found.items()),
                note=note,
                chart=Chart(
                    title="two photos",
                    unit="milliseconds",
                    series={title: each.timed.milliseconds for title, each in found.items()},
                ),
            ),
            Section(
                title="what they are",
                headings=("pack", "models", "contract", "licence"),
                rows=tuple(
                    (title, ", ".join(each.found.models), each.contract, each.found.pack.licence)
                    for title, each in found.items()
                ),
            ),
        ),
        machine=describe_machine(),
    )


def _verdict(found: Mapping[str, Compared]) -> str:
    """The best by accuracy only where its interval is above all others'."""
    if len(found) == 1:
        return f"{next(iter(found))} alone: nothing to compare it with"
    seen = {title: each.recognised for title, each in found.items()}
    best = max(seen, key=lambda title: seen[title].accuracy_low)
    others = [each.accuracy_high for title, each in seen.items() if title != best]
    fastest = min(found, key=lambda title: found[title].timed.median)
    ahead = all(high < seen[best].accuracy_low for high in others)
    accuracy = f"{best} is the most accurate" if ahead else "these pairs do not tell which is the most accurate"
    return f"{accuracy}; {fastest} is the fastest"


def _row(title: str, each: Compared) -> tuple[str, ...]:
    seen = each.recognised
    rates = seen.rates
    fnmr, upper = (None, None) if rates is None else (rates.fnmr, rates.fnmr_upper_95)
    return (
        title,
        f"{seen.accuracy:.2%} ({seen.accuracy_low:.2%} to {min(seen.accuracy_high, 1.0):.2%})",
        "–" if seen.threshold is None else f"{seen.threshold:.3f}",
        "–" if fnmr is None or upper is None else f"{fnmr:.2%}, {upper:.2%}",
        f"{seen.not_acquired} of {seen.images:,}",
        f"{each.timed.median:.1f} ({each.timed.spread:.1f})",
        f"{each.megabytes:.1f}",
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
