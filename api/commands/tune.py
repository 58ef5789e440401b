"""`heyan tune`: measures how many workers and threads this machine is best used with, and keeps it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.commands.failing import explained
from api.commands.tables import show_table
from api.processors import usable_processors
from api.settings import load_settings
from api.tuned import Tuned, write_tuned
from models.engine import Engine
from models.tuning import Choice, Tried, best, choices, measure


def tune(
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="for each choice in each round")] = 1.0,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="of all choices, one after the other")] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="measure, and keep nothing")] = False,
) -> None:
    """Workers and threads for this machine: every sensible pair is run, the best is kept in the data directory.

    HEYAN_WORKERS and HEYAN_THREADS win over it. Run it while the service does not run.
    """
    with explained():
        settings = load_settings()

        def opened(threads: int) -> Engine:
            return Engine.open(
                data_dir=settings.data_dir, pack=settings.pack, provider=settings.provider, threads=threads
            )

        cores = usable_processors()
        pairs = choices(cores)
        with _progress() as progress:
            task = progress.add_task("choices", total=rounds * len(pairs))
            found = measure(
                pairs, opened=opened, seconds=seconds, rounds=rounds, advance=lambda: progress.advance(task)
            )
        chosen = best(found)
        show_table(_table(found, chosen))
        if not dry_run:
            tuned = Tuned(chosen.workers, chosen.threads, cores, settings.provider, settings.pack)
            typer.echo(_kept(write_tuned(settings.data_dir, tuned)))


def _table(found: Mapping[Choice, Tried], chosen: Choice) -> Table:
    table = Table(title="networks of live frames, medians over rounds")
    for heading in ("workers", "threads", "frames/s", "p95 ms", ""):
        table.add_column(heading, justify="right")
    for choice, each in sorted(found.items(), key=lambda one: -one[1].frames_per_s):
        mark = "chosen" if choice == chosen else ""
        table.add_row(
            str(choice.workers), str(choice.threads), f"{each.frames_per_s:.0f}", f"{each.frame_p95_ms:.1f}", mark
        )
    return table


def _kept(path: Path) -> str:
    named = [name for name in ("HEYAN_WORKERS", "HEYAN_THREADS") if name in os.environ]
    against = f"; {' and '.join(named)} in the environment win over it" if named else ""
    return f"kept in {path}: the service takes it at its next start{against}"


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
