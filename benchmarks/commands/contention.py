"""`heyan-bench contention`: is each token redeemed exactly once, whoever asks, and whatever happens to the store?"""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.commands.failing import explained
from benchmarks.contention import CUT_OFF, Outcome, Plan, contend
from benchmarks.photos import load_portraits, people_of
from models.prepare import default_data_dir


def contention(
    clients: Annotated[int, typer.Option(min=1, help="callers at the same time")] = 50,
    each: Annotated[int, typer.Option(min=1, help="redemptions of each caller")] = 1000,
    tokens: Annotated[int, typer.Option(min=1, help="tokens that they contend for")] = 2000,
    processes: Annotated[int, typer.Option(min=1, help="of the service, over one store")] = 4,
    kill: Annotated[bool, typer.Option("--kill", help="kill the store in the middle, and start it again")] = False,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
) -> None:
    """Many callers redeem the same tokens through several replicas. Exit 1 if anything came out as it must not."""
    plan = Plan(clients=clients, each=each, tokens=tokens, processes=processes, kill=kill)
    if clients * each < tokens:
        raise typer.BadParameter("all callers together must want each token: raise --clients or --each")
    with explained(), _progress() as progress:
        task = progress.add_task("tokens and redemptions", total=tokens + CUT_OFF + clients * each)
        photo = people_of(load_portraits(default_data_dir()))[0].photos[0]
        outcome = asyncio.run(contend(plan, photo, advance=lambda: progress.advance(task)))
    Console().print(_table(outcome))
    if as_json is not None:
        as_json.write_text(json.dumps(asdict(outcome) | {"holds": outcome.holds}, indent=2) + "\n", "utf-8")
    raise typer.Exit(0 if outcome.holds else 1)


def _table(outcome: Outcome) -> Table:
    table = Table("what", "how many", title="holds" if outcome.holds else "DOES NOT HOLD")
    answers = ", ".join(f"{code} {count}" for code, count in sorted(outcome.answers.items()))
    for name, value in asdict(outcome).items():
        table.add_row(name.replace("_", " "), answers if name == "answers" else str(value))
    table.add_row("redemptions a second", f"{outcome.redemptions / outcome.seconds:.0f}")
    return table


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
