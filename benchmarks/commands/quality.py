"""`heyan-bench quality`: which quality components tell beforehand that a comparison fails."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.degradations.render import DEGRADATIONS
from benchmarks.machine import describe_machine
from benchmarks.pairs_file import read_pairs
from benchmarks.photos import PhotosError
from benchmarks.quality.discard import GRID, MOST_DISCARDED, Discard, Trials, best_area, discards
from benchmarks.quality.lines import Below, below_lines
from benchmarks.quality.measure import AS_IT_IS, NAMES, UNIFIED, Gathered, gather, threshold_of, trials_of
from benchmarks.report.document import Chart, Report, Section
from models.engine import Engine
from models.prepare import default_data_dir
from verify.reference_quality import quality_lines

SHOWN = (0.05, 0.1, 0.2)
"""Shares of discarded comparisons that the table tells of."""
DRAWN = 5
"""Components of the smallest areas, beside the unified minimum and discarding at random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One set of genuine comparisons and what came of it."""

    title: str
    trials: Trials
    found: Mapping[str, Discard]
    lost: int
    """Comparisons left out because a photo shows no face."""


def quality(
    images: Annotated[Path, typer.Option(help="folder of the images", exists=True, file_okay=False)],
    pairs: Annotated[Path, typer.Option(help="CSV: fold,image_a,image_b,same", exists=True, dir_okay=False)],
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """FNMR as the worst photos by each quality component are discarded, as photos are and with degraded probes."""
    with explained():
        listed = read_pairs(pairs)
        engine = Engine.open(data_dir=default_data_dir())
        count = sum(pair.same for pair in listed)
        with _progress() as progress:
            task = progress.add_task("images", total=count * (1 + len(DEGRADATIONS)))
            gathered = gather(images, listed, engine=engine, advance=lambda: progress.advance(task))
            threshold, impostors = threshold_of(gathered)
            rounds = tuple(_rounds(gathered, threshold, progress))
        below = below_lines(trials_of(gathered, (AS_IT_IS,), threshold)[0], quality_lines())
        report = _report(rounds, below, describe_machine(engine), threshold=threshold, impostors=impostors)
        deliver(report, _figures(rounds, below, threshold), as_json=as_json, html=html, docs=docs)


ROUNDS: Mapping[str, tuple[Sequence[str], bool]] = {
    "photos as they are": ((AS_IT_IS,), False),
    "probes as they are and degraded": (tuple(DEGRADATIONS), False),
    "the same, each among probes degraded alike": (tuple(DEGRADATIONS), True),
}
"""Title of a round → which probes it compares, and whether quality is a place among those of one degradation."""


def _rounds(gathered: Gathered, threshold: float, progress: Progress) -> Iterator[Round]:
    """Those in which something was missed.

    Raises:
        PhotosError: there is none.
    """
    made = [
        (title, *trials_of(gathered, probes, threshold, among_their_like=alike))
        for title, (probes, alike) in ROUNDS.items()
    ]
    telling = [each for each in made if each[1].missed.any()]
    if not telling:
        raise PhotosError("no comparison was missed: there is no error that quality could predict; list more pairs")
    for title, trials, lost in telling:
        task = progress.add_task(title, total=len(NAMES))
        found = discards(trials, advance=partial(progress.advance, task))
        yield Round(title=title, trials=trials, found=found, lost=lost)


def _figures(rounds: Sequence[Round], below: Mapping[str, Below], threshold: float) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "discarded": GRID.tolist(),
        "rounds": {
            each.title: {
                "comparisons": len(each.trials.missed),
                "missed": int(each.trials.missed.sum()),
                "no_face": each.lost,
                "best_area": best_area(each.trials.fnmr),
                "components": {name: asdict(found) for name, found in each.found.items()},
            }
            for each in rounds
        },
        "lines": {name: asdict(each) for name, each in below.items()},
    }


def _report(
    rounds: Sequence[Round],
    below: Mapping[str, Below],
    machine: Mapping[str, object],
    *,
    threshold: float,
    impostors: int,
) -> Report:
    told = [f"{_count(each)} of {len(NAMES)} ({each.title})" for each in rounds]
    return Report(
        command="heyan-bench quality",
        verdict=f"measures that predict false non-matches: {', '.join(told)}",
        sections=(
            *(_section(each, threshold=threshold, impostors=impostors) for each in rounds),
            _lines_section(below),
        ),
        machine=machine,
    )


def _count(each: Round) -> int:
    return sum(found.predicts for found in each.found.values())


def _section(each: Round, *, threshold: float, impostors: int) -> Section:
    ranked = sorted(each.found, key=lambda name: each.found[name].area)
    shown = (f"{share:.0%}" for share in SHOWN)
    missed, count = int(each.trials.missed.sum()), len(each.trials.missed)
    return Section(
        title=f"FNMR after discarding the worst, {each.title}: {each.trials.fnmr:.2%} before",
        headings=("component", *shown, "area", "95 %", "assessed", "predicts"),
        rows=tuple(_row(name, each.found[name]) for name in ranked),
        note=f"{count:,} genuine comparisons, {missed:,} missed at cosine {threshold:.3f} (FMR 0.1 % of "
        f"{impostors:,}); {each.lost:,} left out without a face. Area: under the curve up to {MOST_DISCARDED:.0%}, in "
        f"shares of discarding at random; {best_area(each.trials.fnmr):.2f} if errors went first. Predicts: below 1 at "
        "5 % over all measures together; the intervals draw people.",
        chart=_chart(each, ranked),
    )


def _row(name: str, found: Discard) -> tuple[str, ...]:
    return (
        name,
        *(f"{found.fnmr[int(np.abs(GRID - share).argmin())]:.2%}" for share in SHOWN),
        f"{found.area:.2f}",
        f"{found.area_low:.2f} to {found.area_high:.2f}",
        f"{found.assessed:.0%}",
        "yes" if found.predicts else "the wrong way" if found.misleads else "no",
    )


def _chart(each: Round, ranked: Sequence[str]) -> Chart:
    best = [name for name in ranked if name != UNIFIED][:DRAWN]
    drawn = {name: each.found[name].fnmr for name in (*best, UNIFIED)}
    return Chart(
        title=f"Error versus discard, {each.title}",
        unit="FNMR, %",
        series={
            "at random": tuple(100 * each.trials.fnmr for _ in GRID),
            **{name: tuple(100 * value for value in curve) for name, curve in drawn.items()},
        },
        x=tuple(100 * share for share in GRID),
        x_unit="comparisons discarded, %",
    )


def _lines_section(below: Mapping[str, Below]) -> Section:
    return Section(
        title="what is warned of, photos as they are",
        headings=("component", "line", "pairs below it", "FNMR below", "FNMR of the others"),
        rows=tuple(
            (
                name,
                "" if each.least is None else f"{each.least:.0f}",
                f"{each.share:.1%}",
                _share(each.fnmr_below),
                _share(each.fnmr_others),
            )
            for name, each in below.items()
        ),
        note="Lines of verify/quality_lines.toml; a pair is below one if either of its photos is.",
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
