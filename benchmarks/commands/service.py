"""`heyan-bench service`: how many people one machine verifies at once, how fast, and what happens beyond."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.commands.failing import explained
from benchmarks.load.knee import Carried, find_knee
from benchmarks.load.reels import FRAMES_A_REEL, Reel, render_reel
from benchmarks.load.room import Figures, Room
from benchmarks.machine import describe_machine
from benchmarks.photos import load_portraits, people_of
from benchmarks.service import running_service
from models.engine import Engine
from models.prepare import default_data_dir

MOST_PEOPLE = 4
LEAST_WIDTH = 100
"""Columns of the table, also where the output goes to a file."""


def service(
    phones: Annotated[int, typer.Option(min=1, max=500, help="the most to step up to")] = 48,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="for which visits begin, in each step")] = 30.0,
    people: Annotated[int, typer.Option(min=1, max=MOST_PEOPLE, help="simulated people, rendered beforehand")] = 3,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
) -> None:
    """What this machine carries: more and more phones on one service, then twice too many. Exit 1 if one is lost."""
    cv2.setNumThreads(1)
    with explained(), _progress() as progress:
        engine = Engine.open(data_dir=default_data_dir())
        found = _measured(_reels(people, engine, progress), progress, phones=phones, seconds=seconds)
    console = Console()
    console.width = max(console.width, LEAST_WIDTH)
    console.print(_table(found))
    console.print(verdict(found), highlight=False, soft_wrap=True)
    if as_json is not None:
        as_json.write_text(json.dumps(figures(found) | {"machine": describe_machine(engine)}, indent=2) + "\n", "utf-8")
    raise typer.Exit(1 if found.accepted_lost else 0)


def figures(found: Carried) -> dict[str, object]:
    """What was found, the knee's figures first. Milliseconds and seconds; null where nothing was measured."""
    best = found.knee or found.steps[0]
    return {
        "knee_phones": found.knee.phones if found.knee else 0,
        "verifications_per_hour": best.verifications_per_hour,
        "frames_per_s": best.frames_per_s,
        **{f"frame_{name}_ms": value for name, value in best.frame_ms.items()},
        **{f"decision_{name}_ms": value for name, value in best.decision_ms.items()},
        "cpu_s_per_verification": best.cpu_s_per_verification,
        "load_cpu_share": best.load_cpu_share,
        "accepted_lost": found.accepted_lost,
        "steps": [asdict(each) for each in found.steps],
        "beyond": asdict(found.beyond),
    }


def verdict(found: Carried) -> str:
    """One sentence."""
    if found.knee is None:
        return "this machine does not carry even the fewest phones that were tried"
    an_hour, late = found.knee.verifications_per_hour, found.knee.frame_ms["p95"]
    return f"this machine carries {an_hour} verifications an hour at p95 {_one(late)} ms"


def _reels(people: int, engine: Engine, progress: Progress) -> list[Reel]:
    photos = [person.photos[-1] for person in people_of(load_portraits(default_data_dir()))[:people]]
    task = progress.add_task("rendering answers", total=len(photos) * FRAMES_A_REEL)
    return [
        render_reel(photo, engine=engine, seed=seed, advance=lambda: progress.advance(task))
        for seed, photo in enumerate(photos)
    ]


def _measured(reels: list[Reel], progress: Progress, *, phones: int, seconds: float) -> Carried:
    with TemporaryDirectory(prefix="heyan-load-") as folder, running_service(Path(folder) / "data") as running:
        room = Room(running, reels)

        async def attempt(number: int) -> Figures:
            task = progress.add_task(f"{number} phones", total=None)
            found = await room.run(number, seconds=seconds, advance=lambda: progress.advance(task))
            progress.update(task, total=1, completed=1)
            return found

        return asyncio.run(find_knee(attempt, most=phones))


def _table(found: Carried) -> Table:
    table = Table(title=f"frames and decisions in milliseconds, p50 / p95 / p99; {_load_share(found)}")
    for heading in ("phones", "frames/s", "frame", "decision", "an hour", "CPU s each", "503", "lost", "accepted"):
        table.add_column(heading, justify="right")
    for each in (*found.steps, found.beyond):
        opened = sum(each.outcomes.values())
        table.add_row(
            f"[bold]{each.phones}" if each is found.knee else str(each.phones),
            f"{each.frames_per_s:.0f}",
            " ".join(_one(value) for value in each.frame_ms.values()),
            " ".join(_one(value) for value in each.decision_ms.values()),
            str(each.verifications_per_hour),
            "-" if each.cpu_s_per_verification is None else f"{each.cpu_s_per_verification:.2f}",
            str(each.refused_503),
            str(each.accepted_lost),
            f"{each.outcomes.get('accepted', 0)} of {opened}",
        )
    return table


def _load_share(found: Carried) -> str:
    """What the phones themselves took: it is missing from the service."""
    return (
        f"the load took {max(each.load_cpu_share for each in (*found.steps, found.beyond)):.0%} of a core at the most"
    )


def _one(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True))
