"""`heyan-bench service`: how many people one machine verifies at once, how fast, and what happens beyond."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.commands.rendering import render_people
from benchmarks.load.knee import Carried, find_knee
from benchmarks.load.reels import Reel
from benchmarks.load.room import Figures, Room, enough_people
from benchmarks.machine import describe_machine
from benchmarks.report.document import Chart, Report, Section
from benchmarks.service import CROWD, running_service
from models.engine import Engine
from models.prepare import default_data_dir

NAN = float("nan")


def service(
    phones: Annotated[int, typer.Option(min=1, max=500, help="the most to step up to")] = 48,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="for which visits begin, in each step")] = 60.0,
    people: Annotated[
        int | None, typer.Option(min=1, help="simulated people, rendered beforehand; as many as --phones need")
    ] = None,
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """What this machine carries: more and more phones on one service, then twice too many. Exit 1 if one is lost."""
    cv2.setNumThreads(1)
    with explained():
        with _progress() as progress:
            engine = Engine.open(data_dir=default_data_dir())
            reels = render_people(people or enough_people(2 * phones), engine, progress)
            found = _measured(reels, progress, phones=phones, seconds=seconds)
        deliver(_report(found, describe_machine(engine)), figures(found), as_json=as_json, html=html, docs=docs)
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


def _measured(reels: list[Reel], progress: Progress, *, phones: int, seconds: float) -> Carried:
    with TemporaryDirectory(prefix="heyan-load-") as folder, running_service(Path(folder) / "data", **CROWD) as running:
        room = Room(running, reels)

        async def attempt(number: int) -> Figures:
            task = progress.add_task(f"{number} phones", total=None)
            found = await room.run(number, seconds=seconds, advance=lambda: progress.advance(task))
            progress.update(task, total=1, completed=1)
            return found

        return asyncio.run(find_knee(attempt, most=phones))


def _report(found: Carried, machine: Mapping[str, object]) -> Report:
    tried = (*found.steps, found.beyond)
    return Report(
        command="heyan-bench service",
        verdict=verdict(found),
        sections=(
            Section(
                title="phones on one service; frames and decisions in milliseconds, p50 / p95 / p99",
                headings=(
                    "phones",
                    "frames/s",
                    "frame",
                    "decision",
                    "an hour",
                    "CPU s each",
                    "503",
                    "lost",
                    "accepted",
                ),
                rows=tuple(_row(each, is_knee=each is found.knee) for each in tried),
                note=f"The phones themselves took {max(each.load_cpu_share for each in tried):.0%} of a core at the "
                "most. Few sessions a step: the last percentiles of decisions are their maximum. The last row is what "
                "happens beyond the knee.",
                chart=_chart(tried),
            ),
        ),
        machine=machine,
    )


def _row(each: Figures, *, is_knee: bool) -> tuple[str, ...]:
    cpu = each.cpu_s_per_verification
    return (
        f"{each.phones} (knee)" if is_knee else str(each.phones),
        f"{each.frames_per_s:.0f}",
        " / ".join(_one(value) for value in each.frame_ms.values()),
        " / ".join(_one(value) for value in each.decision_ms.values()),
        f"{each.verifications_per_hour:,}",
        "-" if cpu is None else f"{cpu:.2f}",
        str(each.refused_503),
        str(each.accepted_lost),
        f"{each.outcomes.get('accepted', 0)} of {sum(each.outcomes.values())}",
    )


def _chart(tried: Sequence[Figures]) -> Chart:
    return Chart(
        title="from a frame's arrival to its answer",
        unit="milliseconds",
        series={
            name: tuple(NAN if (value := each.frame_ms[name]) is None else value for each in tried)
            for name in tried[0].frame_ms
        },
        x=tuple(float(each.phones) for each in tried),
        x_unit="phones",
    )


def _one(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True))
