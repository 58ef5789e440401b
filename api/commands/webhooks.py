"""`heyan webhooks list | replay`: where notices go, and sending them again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Annotated, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from api.commands.failing import explained
from api.commands.tables import show_table
from api.composition import open_store_of, own_vault
from api.settings import load_settings
from verify.replay import Replays
from verify.webhooks import Webhooks

T = TypeVar("T")

commands = typer.Typer(help="Webhooks of registration services.", no_args_is_help=True)


@commands.command(name="list")
def list_webhooks() -> None:
    """All webhooks of all clients; never their secrets."""
    table = Table("webhook", "client", "mode", "url", "types", "state")
    for each in _with_replays(lambda replays: replays.webhooks.all()):
        table.add_row(each.id, each.client, each.mode, escape(each.url), " ".join(each.types) or "all", each.state)
    show_table(table)


@commands.command()
def replay(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="as `heyan webhooks list` shows it")],
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"], help="UTC unless it says"),
    ] = None,
    notice: Annotated[list[str] | None, typer.Option(help="id of a notice (webhook-id); may be repeated")] = None,
) -> None:
    """Send notices again: all since a time, or some by id. A running service delivers them, with the ids they had."""
    if (since is None) == (notice is None):
        raise typer.BadParameter("give either --since or --notice")
    if since is not None:
        from_time = (since if since.tzinfo else since.replace(tzinfo=UTC)).timestamp()
        count = _with_replays(lambda replays: replays.since(webhook, from_time))
    else:
        count = _with_replays(lambda replays: replays.of(webhook, tuple(notice or ())))
    typer.echo(f"{count} notices are due for {webhook}")


def _with_replays(use: Callable[[Replays], Awaitable[T]]) -> T:
    """Use the store of the settings, beside a running service or alone."""

    async def opened() -> T:
        settings = load_settings()
        async with open_store_of(settings) as store:
            vault = await own_vault(settings, store)
            return await use(Replays(store, Webhooks(store=store, vault=vault, entropy=token_bytes)))

    with explained():
        return asyncio.run(opened())
