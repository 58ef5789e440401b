"""`heyan-bench memory`: does the service grow over many live sessions?"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.commands.rendering import render_people
from benchmarks.load.growth import PHONES, WARM_UP_SHARE, Growth, grow
from benchmarks.machine import describe_machine
from benchmarks.report.document import Chart, Report, Section
from benchmarks.service import running_service
from models.engine import Engine
from models.prepare import default_data_dir


def memory(
    sessions: Annotated[int, typer.Option(min=1, help="short live sessions after the warm-up")] = 200,
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """Growth of the service's resident memory over short live sessions. Exit 1 if one was not concluded."""
    cv2.setNumThreads(1)
    with explained():
        with _progress() as progress:
            engine = Engine.open(data_dir=default_data_dir())
            (reel,) = render_people(1, engine, progress)
            with TemporaryDirectory(prefix="heyan-load-") as folder, running_service(Path(folder) / "data") as service:
                task = progress.add_task("sessions", total=sessions + max(PHONES, round(WARM_UP_SHARE * sessions)))
                found = asyncio.run(grow(service, reel, sessions=sessions, advance=lambda: progress.advance(task)))
        figures = asdict(found) | {"kb_a_session": round(found.kb_a_session, 2)}
        deliver(_report(found, describe_machine(engine)), figures, as_json=as_json, html=html, docs=docs)
    raise typer.Exit(1 if found.not_concluded else 0)


def _report(found: Growth, machine: Mapping[str, object]) -> Report:
    counts, sizes = zip(*found.course, strict=True)
    return Report(
        command="heyan-bench memory",
        verdict=f"{found.sessions:,} sessions after {found.warm_up:,} to warm up added {found.growth_mb:.2f} MiB, "
        f"{found.kb_a_session:.1f} KiB each, to {found.rss_mb:.0f} MiB in all",
        sections=(
            Section(
                title="resident memory of the service's process, without its store",
                headings=("sessions so far", "MiB"),
                rows=tuple((f"{count:,}", f"{size:.1f}") for count, size in found.course),
                note="Each session claims, shows a face for two seconds and gives up.",
                chart=Chart(
                    title="resident memory",
                    unit="MiB",
                    series={"service": tuple(map(float, sizes))},
                    x=tuple(map(float, counts)),
                    x_unit="sessions so far",
                ),
            ),
        ),
        machine=machine,
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
