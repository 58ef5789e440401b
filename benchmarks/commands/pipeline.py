"""`heyan-bench pipeline`: what the pipeline costs beside the networks in it."""

import json
from pathlib import Path
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.commands.failing import explained
from benchmarks.machine import describe_machine
from benchmarks.photos import load_portraits, people_in
from benchmarks.pipeline import (
    LONG_SIDE_640,
    TWO_MEGAPIXELS,
    Measured,
    measure_comparison,
    measure_live_frame,
    scaled_photos,
)
from models.engine import Engine
from models.prepare import default_data_dir


def pipeline(
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved runs")] = 15,
    photos: Annotated[
        Path | None, typer.Option(help="your own portraits, two of one person first", exists=True, file_okay=False)
    ] = None,
) -> None:
    """Each stage of a 1:1 comparison and of a live frame, beside bare decoding and bare networks; one thread."""
    cv2.setNumThreads(1)
    with explained():
        pair = _pair(photos)
        engine = Engine.open(data_dir=default_data_dir(), threads=1)
        measured = _measure_all(pair, engine, rounds)
    show(measured, Console())
    if as_json is not None:
        content = {
            **{f"ratio_{name}": round(each.ratio, 4) for name, each in measured.items()},
            "stages_ms": {name: each.stages_ms for name, each in measured.items()},
            "rounds": rounds,
            "machine": describe_machine(engine),
        }
        as_json.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def show(measured: dict[str, Measured], console: Console) -> None:
    """One table a piece of work."""
    for name, each in measured.items():
        table = Table("stage", "median ms", "quartiles apart", title=f"{name}: whole ÷ bare = {each.ratio:.3f}")
        for stage, timed in each.timed.items():
            table.add_row(stage, f"{timed.median:.3f}", f"{timed.spread:.3f}")
        console.print(table)


def _measure_all(pair: tuple[bytes, bytes], engine: Engine, rounds: int) -> dict[str, Measured]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    small, large = scaled_photos(pair, long_side=LONG_SIDE_640), scaled_photos(pair, pixels=TWO_MEGAPIXELS)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("interleaved rounds", total=3 * rounds)

        def advance() -> None:
            progress.advance(task)

        return {
            "640": measure_comparison((small[0], small[1]), engine=engine, rounds=rounds, advance=advance),
            "2mp": measure_comparison((large[0], large[1]), engine=engine, rounds=rounds, advance=advance),
            "live_frame": measure_live_frame(small[0], engine=engine, rounds=rounds, advance=advance),
        }


def _pair(photos: Path | None) -> tuple[bytes, bytes]:
    if photos is None:
        portraits = load_portraits(default_data_dir())
        return portraits["person_a_1"], portraits["person_a_2"]
    first, *others = people_in(photos)
    return first.photos[0], (first.photos[1] if len(first.photos) > 1 else others[0].photos[0])
