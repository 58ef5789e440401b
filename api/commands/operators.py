"""`heyan operators create | list | revoke`: who may look into the service through the console at `/ops`."""

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
from verify.operators import Operator, Operators

T = TypeVar("T")

commands = typer.Typer(help="Operators: who may look into the service through the console.", no_args_is_help=True)


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="the operator's name")],
    role: Annotated[str, typer.Option("--role", help="viewer, or auditor: also the audit")] = "viewer",
) -> None:
    """Make an operator's key and print it: on standard output, this once."""
    made, secret = _with_operators(lambda operators: operators.create(name, role=role))
    typer.echo(f"operator {made.id} ({made.name}), {made.role}; the key is shown only now, sign in at /ops:", err=True)
    typer.echo(secret)


@commands.command(name="list")
def list_operators() -> None:
    """All operators; never their keys."""
    table = Table("operator", "name", "role", "made", "state")
    for operator in _with_operators(lambda operators: operators.list()):
        table.add_row(*_row(operator))
    show_table(table)


@commands.command()
def revoke(
    operator_id: Annotated[str, typer.Argument(metavar="OPERATOR", help="as `heyan operators list` shows it")],
) -> None:
    """Make an operator's key useless and end their sessions, at once. What they looked at stays written."""
    operator = _with_operators(lambda operators: operators.revoke(operator_id))
    typer.echo(f"the key of {operator.id} ({operator.name}) is revoked")


def _row(operator: Operator) -> tuple[str, ...]:
    made = datetime.fromtimestamp(operator.created_at, UTC).strftime("%Y-%m-%d %H:%M")
    return operator.id, operator.name, operator.role, made, "revoked" if operator.revoked else "active"


def _with_operators(use: Callable[[Operators], Awaitable[T]]) -> T:
    """Use the store of the settings, beside a running service or alone."""

    async def opened() -> T:
        async with open_store_of(load_settings()) as store:
            return await use(Operators(store, token_bytes))

    with explained():
        return asyncio.run(opened())
