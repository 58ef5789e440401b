"""`heyan-bench capacity`: what to buy for how many people."""

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

from benchmarks.capacity import LOAD, TOWNS, Demand, Need, need
from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.commands.rendering import render_people
from benchmarks.load.costs import WARM_UP, Costs, measure_costs
from benchmarks.machine import describe_machine
from benchmarks.report.document import Report, Section
from benchmarks.service import running_service
from models.engine import Engine
from models.prepare import default_data_dir


def capacity(
    verifications: Annotated[int, typer.Option(min=1, help="that are measured, one after the other")] = 10,
    cores: Annotated[int, typer.Option(min=1, help="of one machine")] = 8,
    people: Annotated[int | None, typer.Option(min=1, help="your own demand: verifications in all")] = None,
    days: Annotated[int, typer.Option(min=1, help="on which they come")] = 250,
    busiest_day: Annotated[float, typer.Option(min=1.0, help="over the mean day")] = 2.0,
    busiest_hour: Annotated[float, typer.Option(min=0.01, max=1.0, help="share of a day's people")] = 0.15,
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """Measure what one verification takes, from case to redeemed token, and say what a town needs by it."""
    cv2.setNumThreads(1)
    own = () if people is None else (_own(people, days, busiest_day, busiest_hour),)
    with explained():
        engine = Engine.open(data_dir=default_data_dir())
        costs = _measured(engine, verifications)
        needs = {demand: need(demand, costs, cores_a_machine=cores) for demand in (*own, *TOWNS)}
        report = _report(costs, needs, describe_machine(engine), cores=cores)
        deliver(report, _figures(costs, needs, cores), as_json=as_json, html=html, docs=docs)


def _own(people: int, days: int, busiest_day: float, busiest_hour: float) -> Demand:
    name = f"yours: {people:,} people on {days} days"
    return Demand(name=name, people=people, days=days, busiest_day=busiest_day, busiest_hour=busiest_hour)


def _measured(engine: Engine, verifications: int) -> Costs:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        (reel,) = render_people(1, engine, progress)
        with TemporaryDirectory(prefix="heyan-load-") as folder, running_service(Path(folder) / "data") as service:
            task = progress.add_task("verifications", total=WARM_UP + verifications)
            return asyncio.run(
                measure_costs(service, reel, verifications=verifications, advance=lambda: progress.advance(task))
            )


def _figures(costs: Costs, needs: Mapping[Demand, Need], cores: int) -> dict[str, object]:
    return {
        "costs": asdict(costs),
        "cores_a_machine": cores,
        "needs": {demand.name: asdict(demand) | asdict(found) for demand, found in needs.items()},
    }


def _report(costs: Costs, needs: Mapping[Demand, Need], machine: Mapping[str, object], *, cores: int) -> Report:
    return Report(
        command="heyan-bench capacity",
        verdict=f"one verification takes {costs.cpu_s:.2f} processor seconds, {costs.up_bytes / 2**20:.1f} MiB from "
        f"the phone and {costs.store_bytes / 2**10:.0f} KiB of the store",
        sections=(
            Section(
                title="one verification, from the case to the redeemed token",
                headings=("of it", "measured"),
                rows=_cost_rows(costs),
                note=f"Means over {costs.verifications} of one simulated person, one after the other, on an otherwise "
                "idle service; attempts that were not accepted are in them. Memory of the store counts what it "
                "remembers against fraud for some days, too.",
            ),
            Section(
                title=f"what that makes, on machines of {cores} cores",
                headings=(
                    "who comes",
                    "days",
                    "busiest hour",
                    "live at once",
                    "cores",
                    "machines",
                    "Mbit/s up",
                    "store, GiB",
                    "log, GiB a day",
                ),
                rows=tuple(_need_row(demand, found) for demand, found in needs.items()),
                note="Busiest hour: verifications in it, of the busiest day, by the assumed shares "
                f"({'; '.join(_assumed(demand) for demand in needs)}). Cores are filled to {LOAD:.0%}; one machine is "
                "to spare. Cores that are faster or slower than this machine's change the rest in proportion.",
            ),
        ),
        machine=machine,
    )


def _cost_rows(costs: Costs) -> tuple[tuple[str, ...], ...]:
    return (
        ("processor, service and store", f"{costs.cpu_s:.2f} s"),
        ("frames from the phone", f"{costs.up_bytes / 2**20:.2f} MiB"),
        ("the live session", f"{costs.session_seconds:.0f} s"),
        ("memory of the store", f"{costs.store_bytes / 2**10:.1f} KiB"),
        ("append-only file, before it is rewritten", f"{costs.log_bytes / 2**10:.1f} KiB"),
    )


def _need_row(demand: Demand, found: Need) -> tuple[str, ...]:
    return (
        demand.name,
        str(demand.days),
        f"{found.an_hour:,.0f}",
        f"{found.live_at_once:,.1f}",
        f"{found.cores:,.1f}",
        f"{found.machines:,}",
        f"{found.up_mbit:,.1f}",
        f"{found.store_gib:,.1f}",
        f"{found.log_gib_a_day:,.2f}",
    )


def _assumed(demand: Demand) -> str:
    return f"{demand.busiest_day:g} times a mean day, {demand.busiest_hour:.0%} of it in an hour"
