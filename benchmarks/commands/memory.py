"""`heyan-bench memory`: does the service grow over many live sessions?"""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.load.growth import PHONES, WARM_UP_SHARE, grow
from benchmarks.load.reels import FRAMES_A_REEL, render_reel
from benchmarks.machine import describe_machine
from benchmarks.photos import load_portraits, people_of
from benchmarks.service import running_service
from models.engine import Engine
from models.prepare import default_data_dir


def memory(
    sessions: Annotated[int, typer.Option(min=1, help="short live sessions after the warm-up")] = 200,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
) -> None:
    """Growth of the service's resident memory over short live sessions. Exit 1 if one was not concluded."""
    cv2.setNumThreads(1)
    with explained(), _progress() as progress:
        engine = Engine.open(data_dir=default_data_dir())
        task = progress.add_task("rendering answers", total=FRAMES_A_REEL)
        photo = people_of(load_portraits(default_data_dir()))[0].photos[0]
        reel = render_reel(photo, engine=engine, seed=0, advance=lambda: progress.advance(task))
        with TemporaryDirectory(prefix="heyan-load-") as folder, running_service(Path(folder) / "data") as service:
            task = progress.add_task("sessions", total=sessions + max(PHONES, round(WARM_UP_SHARE * sessions)))
            found = asyncio.run(grow(service, reel, sessions=sessions, advance=lambda: progress.advance(task)))
    Console().print(
        f"{found.rss_mb:.0f} MiB after {found.warm_up} and {found.sessions} sessions; the latter added"
        f" {found.growth_mb:.2f} MiB, {found.kb_a_session:.1f} KiB each",
        highlight=False,
        soft_wrap=True,
    )
    if as_json is not None:
        figures = asdict(found) | {"kb_a_session": round(found.kb_a_session, 2), "machine": describe_machine(engine)}
        as_json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    raise typer.Exit(1 if found.not_concluded else 0)


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
