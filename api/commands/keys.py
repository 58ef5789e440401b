"""`heyan keys create | add | list | revoke`: API keys of registration services; `rotate` …: the service's own keys."""

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
from verify.clients import DEFAULT_SCOPES, ApiKey, Client, Clients, key_id
from verify.identifiers import hash_secret

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

    async def created(clients: Clients) -> tuple[Client, str, tuple[Client, ...]]:
        before = await clients.list()
        made, secret = await clients.create(
            client,
            mode="test" if test else "live",
            scopes=scope or DEFAULT_SCOPES,
            return_origins=return_origin or (),
        )
        return made, secret, tuple(each for each in before if (each.name, each.mode) == (made.name, made.mode))

    made, secret, namesakes = _with_clients(created)
    for each in namesakes:
        advice = f"heyan keys add {each.id} makes a further key of that one"
        typer.echo(f"this is another client than {each.id}, which has the same name; {advice}", err=True)
    _tell(made, secret)


@commands.command()
def add(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT", help="as `heyan keys list` shows it")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="in place of the scopes of its newest key; may be repeated")
    ] = None,
) -> None:
    """Make a further API key of a client and print it, this once. The others stay good until they are revoked."""
    _tell(*_with_clients(lambda clients: clients.add_key(client_id, scopes=scope)))


@commands.command(name="list")
def list_keys() -> None:
    """All keys with their clients; never the keys themselves."""
    table = Table("key", "client", "name", "mode", "scopes", "made", "links back to", "state")
    for key in _with_clients(lambda clients: clients.keys()):
        table.add_row(*_row(key))
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
def revoke(
    named: Annotated[str, typer.Argument(metavar="KEY_OR_CLIENT", help="as `heyan keys list` shows them")],
) -> None:
    """Make one key useless, or all keys of a client: at once and for good."""

    async def revoked(clients: Clients) -> tuple[tuple[ApiKey, ...], int]:
        keys = await clients.revoke(named)
        same = [key for key in await clients.keys() if key.client.id == keys[0].client.id]
        return keys, sum(not key.client.revoked for key in same)

    keys, left = _with_clients(revoked)
    client = keys[0].client
    what = f"key {keys[0].id}" if named == keys[0].id else f"all keys ({len(keys)})"
    still = f"{left} of its keys still work" if left else "no key of it works any more"
    typer.echo(f"{what} of client {client.id} ({client.name}) revoked; {still}")


def _tell(client: Client, secret: str) -> None:
    """The key alone on standard output, what it is beside it."""
    made = f"key {key_id(hash_secret(secret))} of client {client.id} ({client.name})"
    typer.echo(f"{made}, scopes {', '.join(client.scopes)}; the key is shown only now:", err=True)
    typer.echo(secret)


def _row(key: ApiKey) -> tuple[str, ...]:
    client = key.client
    made = datetime.fromtimestamp(client.created_at, UTC).strftime("%Y-%m-%d %H:%M")
    return (
        key.id,
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
