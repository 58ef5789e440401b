"""`heyan-bench pipeline`: what the pipeline costs beside the networks in it."""

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
from benchmarks.photo_sizes import LONG_SIDE_640, TWO_MEGAPIXELS, scaled_photos
from benchmarks.photos import portrait_pair
from benchmarks.pipeline import LiveCost, Measured, measure_comparison, measure_live_frame
from benchmarks.report.document import Chart, Report, Section
from models.engine import Engine
from models.prepare import default_data_dir

SHORT_FRAMES = 48
"""Of a session of 6 seconds."""
TITLES = {
    "640": "1:1 of two photos of 640 pixels",
    "2mp": "1:1 of two photos of 2 megapixels",
    "live_frame": "a frame of 480 x 640 of a live session",
}


def pipeline(
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved runs")] = 15,
    photos: Annotated[
        Path | None, typer.Option(help="your own portraits, two of one person first", exists=True, file_okay=False)
    ] = None,
) -> None:
    """Each stage of a 1:1 comparison and of a live frame, beside bare decoding and bare networks; one thread."""
    cv2.setNumThreads(1)
    with explained():
        pair = portrait_pair(photos, data_dir=default_data_dir())
        engine = Engine.open(data_dir=default_data_dir(), threads=1)
        measured, cost = _measure_all(pair, engine, rounds)
        report = _report(measured, cost, describe_machine(engine), rounds=rounds)
        deliver(report, _figures(measured, cost, rounds), as_json=as_json, html=html, docs=docs)


def _figures(measured: Mapping[str, Measured], cost: LiveCost, rounds: int) -> dict[str, object]:
    return {
        **{f"ratio_{name}": round(each.ratio, 4) for name, each in measured.items()},
        "stages_ms": {name: each.stages_ms for name, each in measured.items()},
        "cpu_s_live_verification": round(cost.of(SHORT_FRAMES), 4),
        "rounds": rounds,
    }


def _report(measured: Mapping[str, Measured], cost: LiveCost, machine: Mapping[str, object], *, rounds: int) -> Report:
    ratios = "; ".join(f"{TITLES[name]}: {each.ratio:.3f}" for name, each in measured.items())
    return Report(
        command="heyan-bench pipeline",
        verdict=f"the whole ÷ (bare decoding and bare networks): {ratios}",
        sections=(*(_section(name, each, rounds) for name, each in measured.items()), _costs(cost)),
        machine=machine,
    )


def _section(name: str, measured: Measured, rounds: int) -> Section:
    stages = {stage: timed for stage, timed in measured.timed.items() if stage not in {"whole", "bare"}}
    return Section(
        title=f"{TITLES[name]}: whole ÷ bare = {measured.ratio:.3f}",
        headings=("stage", "median ms", "quartiles apart"),
        rows=tuple((stage, f"{t.median:.3f}", f"{t.spread:.3f}") for stage, t in measured.timed.items()),
        note=f"{rounds} interleaved rounds, one thread; the ratio is the median over rounds.",
        chart=Chart(
            title=f"stages, {TITLES[name]}",
            unit="milliseconds",
            series={stage: timed.milliseconds for stage, timed in stages.items()},
        ),
    )


def _costs(cost: LiveCost) -> Section:
    seconds = "processor s"
    return Section(
        title="one live verification against a stored reference",
        headings=("of it", seconds),
        rows=(
            ("once a session: faces compared, attack detector, evidence", f"{cost.once_s:.3f}"),
            ("each frame", f"{cost.frame_s:.5f}"),
            (f"6 seconds at 8 frames a second ({SHORT_FRAMES} frames)", f"{cost.of(SHORT_FRAMES):.3f}"),
            (f"the session that was played ({cost.played_frames} frames)", f"{cost.of(cost.played_frames):.3f}"),
        ),
        note="From the first frame to the evidence, on one thread.",
    )


def _measure_all(pair: tuple[bytes, bytes], engine: Engine, rounds: int) -> tuple[dict[str, Measured], LiveCost]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    small, large = scaled_photos(pair, long_side=LONG_SIDE_640), scaled_photos(pair, pixels=TWO_MEGAPIXELS)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("interleaved rounds", total=3 * rounds)

        def advance() -> None:
            progress.advance(task)

        comparisons = {
            "640": measure_comparison((small[0], small[1]), engine=engine, rounds=rounds, advance=advance),
            "2mp": measure_comparison((large[0], large[1]), engine=engine, rounds=rounds, advance=advance),
        }
        live, cost = measure_live_frame(small[0], engine=engine, rounds=rounds, advance=advance)
        return {**comparisons, "live_frame": live}, cost
