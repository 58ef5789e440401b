"""`heyan delivery try`: whether the gateway or the mail server takes a message."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Annotated

import typer

from api.commands.failing import explained
from api.senders import Sender, open_senders
from api.settings import load_settings
from verify.casefile import Channel
from verify.contacts import contact
from verify.identifiers import new_part
from verify.message_texts import Letter, civil_minute
from verify.messages import Attempted

commands = typer.Typer(help="Messages to people.", no_args_is_help=True)

TEXT = "heyan: a trial of this channel. Nobody is asked to do anything."


@commands.callback()
def root() -> None:
    """Messages to people."""


@commands.command(name="try")
def try_channel(
    to: Annotated[str, typer.Argument(metavar="CONTACT", help="+8613812345678, or name@example.com")],
) -> None:
    """Send one message to a contact of your own, once, by the channel that the settings set up for it."""
    with explained():
        senders = open_senders(load_settings())
        channel: Channel = "email" if "@" in to else "sms"
        address = contact(channel, to).to
    attempted = asyncio.run(_sent(senders, channel, address))
    if attempted.reason is not None:
        typer.echo(f"{channel}: {attempted.reason}; docs/delivery.md says what that means", err=True)
        raise typer.Exit(1)
    typer.echo(f"{channel}: accepted")


async def _sent(senders: Mapping[Channel, Sender], channel: Channel, to: str) -> Attempted:
    if channel not in senders:
        return Attempted(reason="not_configured")
    now = datetime.now(UTC).timestamp()
    fields = {
        "kind": "invitation",
        "name": "heyan",
        "requester": "heyan",
        "action": "try this channel",
        "link": "https://example.com/",
        "until": civil_minute(now, "en"),
    }
    letter = Letter(
        id=f"msg_{new_part(token_bytes)}", to=to, language="en", subject="heyan: a trial", text=TEXT, fields=fields
    )
    return await senders[channel].send(letter, now=now)
