"""`heyan store migrate`: to the form of this version; `restored`, `keys-lost`: after a loss."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from api.commands.failing import explained, warn_damaged
from api.commands.receipts import read_keys
from api.composition import marks_at, open_store_of, own_vault, store_to_migrate
from api.settings import load_settings
from verify.erasure import Erasures
from verify.jose import VerifyingKey
from verify.schema import Forms, Migration, affected, forms_of, migrate

commands = typer.Typer(help="The store.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """The store."""


@commands.command(name="migrate")
def migrate_store(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")] = False,
) -> None:
    """Bring what the store holds to the form of this version, while the service runs or not. May be repeated.

    Until then the service writes the form that is there, so that replicas of the version before go on reading.
    """
    with explained():
        forms, wanted = asyncio.run(_looked_at())
        typer.echo(f"the store holds {forms}; processes that use it: {len(forms.processes)}")
        for each, keys in wanted.items():
            typer.echo(f"  {each.what}: {keys} keys")
        if not dry_run:
            forms = asyncio.run(_migrated(sum(wanted.values())))
    typer.echo("nothing was changed" if dry_run or not wanted else f"the store holds {forms} now")


async def _looked_at() -> tuple[Forms, Mapping[Migration, int]]:
    async with store_to_migrate(load_settings()) as store:
        return await forms_of(store), await affected(store)


async def _migrated(keys: int) -> Forms:
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as progress:
        task = progress.add_task("keys", total=keys or None)
        async with store_to_migrate(load_settings()) as store:
            return await migrate(store, done=lambda: progress.advance(task))


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
    async with open_store_of(settings) as store:
        vault = await own_vault(settings, store)
        epoch = await store.bump_epoch()
        erasures = Erasures(store=store, vault=vault, retention_days=settings.retention_days, damaged=warn_damaged)
        return epoch, await erasures.erase_again()


@commands.command()
def keys_lost(
    jwks: Annotated[
        Path | None, typer.Option("--jwks", help="published keys that somebody has kept: they go on to verify")
    ] = None,
) -> None:
    """Go on with new keys after those of the store were lost for good, also from backups. Stop the service before.

    What was sealed with a lost key can never be opened again, what it signed is checked only by whoever has kept its
    public half, and a new epoch voids every token and verification that was not redeemed.
    """
    with explained():
        published = () if jwks is None else read_keys(jwks)
        replaced = asyncio.run(_gone_on(published))
    if replaced:
        typer.echo(f"the store goes on with other keys: {', '.join(replaced)}; cancel open cases and open them anew")
    else:
        typer.echo("these are the keys of the store: nothing was changed")


async def _gone_on(published: Sequence[VerifyingKey]) -> Sequence[str]:
    settings = load_settings()
    async with store_to_migrate(settings) as store:
        return await marks_at(settings, store).begin_anew(published, entropy=secrets.token_bytes, now=time())
