"""`heyan store restored`: what must happen after a backup of the store was restored."""

import asyncio
import secrets

import typer

from api.commands.failing import explained
from api.composition import open_store_of
from api.settings import load_settings
from verify.erasure import Erasures
from verify.signing import load_keys

commands = typer.Typer(help="The store.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """The store."""


@commands.command()
def restored() -> None:
    """Begin a new epoch after a backup was restored: voids every older token and verification that was not redeemed.

    A backup may lack redemptions that happened after it: without a new epoch their tokens could be redeemed again. Also
    erases again who was erased after the backup was made.
    """
    with explained():
        epoch, erased = asyncio.run(_restored())
    typer.echo(
        f"epoch {epoch} begins: everybody who has not been redeemed must verify again; {erased} people erased again"
    )


async def _restored() -> tuple[int, int]:
    settings = load_settings()
    vault = load_keys(settings.data_dir, entropy=secrets.token_bytes, auditor_key=settings.auditor_key).vault
    async with open_store_of(settings) as store:
        epoch = await store.bump_epoch()
        erasures = Erasures(store=store, vault=vault, retention_days=settings.retention_days)
        return epoch, await erasures.erase_again()
