"""`heyan store migrate`: to the form of this version; `restored`: after a backup of the store was restored."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from api.commands.failing import explained, warn_damaged
from api.composition import open_store_of, store_to_migrate
from api.settings import load_settings
from verify.erasure import Erasures
from verify.schema import Forms, Migration, affected, forms_of, migrate
from verify.signing import load_keys

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
    vault = load_keys(settings.data_dir, entropy=secrets.token_bytes, auditor_key=settings.auditor_key).vault
    async with open_store_of(settings) as store:
        epoch = await store.bump_epoch()
        erasures = Erasures(store=store, vault=vault, retention_days=settings.retention_days, damaged=warn_damaged)
        return epoch, await erasures.erase_again()
