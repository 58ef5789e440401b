"""`heyan keys create | list | revoke`: API keys of registration services; `rotate` …: keys of the service itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from api.commands import key_changes
from api.commands.failing import explained
from api.commands.tables import show_table
from api.composition import open_store_of
from api.settings import load_settings
from verify.clients import DEFAULT_SCOPES, Client, Clients

T = TypeVar("T")

commands = typer.Typer(help="API keys of registration services, and the keys that sign.", no_args_is_help=True)
for command in (key_changes.rotate, key_changes.history):
    commands.command()(command)
for of_one_key in (key_changes.approve, key_changes.withdraw):
    commands.command(context_settings={"ignore_unknown_options": True})(of_one_key)  # an id may begin with "-"


@commands.command()
def create(
    client: Annotated[str, typer.Option("--client", help="name of the registration service")],
    test: Annotated[bool, typer.Option("--test", help="a key of test mode: its tokens are worth nothing")] = False,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="cases, compare; may be repeated")] = None,
    return_origin: Annotated[
        list[str] | None, typer.Option("--return-origin", help="https://host to which its links back may lead")
    ] = None,
) -> None:
    """Make a client and print its API key: on standard output, this once."""
    made, secret = _with_clients(
        lambda clients: clients.create(
            client,
            mode="test" if test else "live",
            scopes=scope or DEFAULT_SCOPES,
            return_origins=return_origin or (),
        )
    )
    typer.echo(f"client {made.id} ({made.name}), scopes {', '.join(made.scopes)}; the key is shown only now:", err=True)
    typer.echo(secret)


@commands.command(name="list")
def list_keys() -> None:
    """All clients; never their keys."""
    table = Table("client", "name", "mode", "scopes", "made", "links back to", "state")
    for client in _with_clients(lambda clients: clients.list()):
        table.add_row(*_row(client))
    show_table(table)


@commands.command()
def return_origins(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT", help="as `heyan keys list` shows it")],
    origins: Annotated[
        list[str] | None, typer.Argument(help="https://host, in place of all before; none: no links")
    ] = None,
) -> None:
    """Say where links from the page back into a client's flow may lead."""
    client = _with_clients(lambda clients: clients.let_return_to(client_id, origins or []))
    typer.echo(f"links of {client.id} ({client.name}) may lead to: {', '.join(client.return_origins) or 'nowhere'}")


@commands.command()
def revoke(client_id: Annotated[str, typer.Argument(metavar="CLIENT", help="as `heyan keys list` shows it")]) -> None:
    """Make a client's key useless, at once and for good."""
    client = _with_clients(lambda clients: clients.revoke(client_id))
    typer.echo(f"the key of {client.id} ({client.name}) is revoked")


def _row(client: Client) -> tuple[str, ...]:
    made = datetime.fromtimestamp(client.created_at, UTC).strftime("%Y-%m-%d %H:%M")
    return (
        client.id,
        client.name,
        client.mode,
        " ".join(client.scopes),
        made,
        " ".join(client.return_origins),
        "revoked" if client.revoked else "active",
    )


def _with_clients(use: Callable[[Clients], Awaitable[T]]) -> T:
    """Use the store of the settings, beside a running service or alone."""

    async def opened() -> T:
        async with open_store_of(load_settings()) as store:
            return await use(Clients(store, token_bytes))

    with explained():
        return asyncio.run(opened())
