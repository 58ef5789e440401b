"""`heyan officers add | list | revoke`: who may record verifications at the window."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from api.commands.failing import explained
from api.commands.tables import show_table
from api.composition import open_store_of
from api.settings import load_settings
from verify.officers import Officer, Officers

T = TypeVar("T")

commands = typer.Typer(help="Officers: who may record verifications at the window.", no_args_is_help=True)


@commands.command()
def add(
    name: Annotated[str, typer.Argument(help="the officer's name")],
    test: Annotated[bool, typer.Option("--test", help="an officer for cases of test mode")] = False,
) -> None:
    """Add an officer and print their key: on standard output, this once."""
    made, secret = _with_officers(lambda officers: officers.add(name, mode="test" if test else "live"))
    typer.echo(f"officer {made.id} ({made.name}), {made.mode}; the key is shown only now:", err=True)
    typer.echo(secret)


@commands.command(name="list")
def list_officers() -> None:
    """All officers; never their keys."""
    table = Table("officer", "name", "mode", "made", "state")
    for officer in _with_officers(lambda officers: officers.list()):
        table.add_row(*_row(officer))
    show_table(table)


@commands.command()
def revoke(
    officer_id: Annotated[str, typer.Argument(metavar="OFFICER", help="as `heyan officers list` shows it")],
) -> None:
    """Make an officer's key useless, at once and for good. What they recorded stays."""
    officer = _with_officers(lambda officers: officers.revoke(officer_id))
    typer.echo(f"the key of {officer.id} ({officer.name}) is revoked")


def _row(officer: Officer) -> tuple[str, ...]:
    made = datetime.fromtimestamp(officer.created_at, UTC).strftime("%Y-%m-%d %H:%M")
    return officer.id, officer.name, officer.mode, made, "revoked" if officer.revoked else "active"


def _with_officers(use: Callable[[Officers], Awaitable[T]]) -> T:
    """Use the store of the settings, beside a running service or alone."""

    async def opened() -> T:
        async with open_store_of(load_settings()) as store:
            return await use(Officers(store, token_bytes))

    with explained():
        return asyncio.run(opened())
