"""`heyan-bench scale`: what a second process of the service adds, and a third."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.commands.rendering import render_people
from benchmarks.load.room import enough_people
from benchmarks.load.scaling import Step, scale
from benchmarks.machine import describe_machine
from benchmarks.report.document import Chart, Report, Section
from models.engine import Engine
from models.prepare import default_data_dir

NAN = float("nan")


def scale_command(
    processes: Annotated[int, typer.Option(min=1, max=32, help="the most")] = 2,
    phones: Annotated[int, typer.Option(min=1, max=200, help="on each process")] = 6,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="for which visits begin, in each step")] = 30.0,
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """1 to k processes of the service on one store, as many phones on each. Exit 1 if an accepted session is lost."""
    cv2.setNumThreads(1)
    with explained():
        with _progress() as progress:
            engine = Engine.open(data_dir=default_data_dir())
            reels = render_people(enough_people(processes * phones), engine, progress)
            task = progress.add_task("visits", total=None)
            steps = asyncio.run(
                scale(reels, most=processes, phones=phones, seconds=seconds, advance=lambda: progress.advance(task))
            )
        report = _report(steps, describe_machine(engine), phones=phones)
        deliver(report, _figures(steps, phones), as_json=as_json, html=html, docs=docs)
    raise typer.Exit(1 if any(each.accepted_lost for each in steps) else 0)


def _figures(steps: tuple[Step, ...], phones: int) -> dict[str, object]:
    return {
        "phones_a_process": phones,
        "frames_per_s": {str(each.processes): each.frames_per_s for each in steps},
        "verifications_per_hour": {str(each.processes): each.verifications_per_hour for each in steps},
        "frame_p95_ms": {str(each.processes): each.worst_frame_p95_ms for each in steps},
        "accepted_lost": sum(each.accepted_lost for each in steps),
        "steps": [{"processes": step.processes, "each": [asdict(one) for one in step.figures]} for step in steps],
    }


def _report(steps: tuple[Step, ...], machine: Mapping[str, object], *, phones: int) -> Report:
    first, last = steps[0], steps[-1]
    more = last.frames_per_s / first.frames_per_s if first.frames_per_s else NAN
    return Report(
        command="heyan-bench scale",
        verdict=f"{last.processes} processes answer {more:.2f} times the frames of one, on this machine's cores",
        sections=(
            Section(
                title="processes of the service on one store",
                headings=("processes", "phones", "frames/s", "frame p95 ms", "an hour", "503", "lost"),
                rows=tuple(_row(each, phones) for each in steps),
                note="Frame p95: of the process where frames waited longest. Store and phones share the same cores.",
                chart=Chart(
                    title="frames answered",
                    unit="frames/s",
                    series={"all processes": tuple(each.frames_per_s for each in steps)},
                    x=tuple(float(each.processes) for each in steps),
                    x_unit="processes",
                ),
            ),
        ),
        machine=machine,
    )


def _row(step: Step, phones: int) -> tuple[str, ...]:
    late = step.worst_frame_p95_ms
    return (
        str(step.processes),
        str(step.processes * phones),
        f"{step.frames_per_s:.0f}",
        "-" if late is None else f"{late:.0f}",
        f"{step.verifications_per_hour:,}",
        str(step.refused_503),
        str(step.accepted_lost),
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True))
