"""`heyan subjects erase`: the right of a person to be erased, on the operator's machine."""

import asyncio
from typing import Annotated

import typer

from api.commands.failing import explained, warn_damaged
from api.composition import open_store_of, own_vault
from api.settings import load_settings
from verify.erasure import Erasures

commands = typer.Typer(help="The people of cases.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """The people of cases."""


@commands.command()
def erase(
    case_id: Annotated[str, typer.Argument(metavar="CASE")],
    subject_id: Annotated[str, typer.Argument(metavar="SUBJECT")],
) -> None:
    """Erase a person's name, id, reference and scores, for good: no backup of the store opens them any more."""
    with explained():
        done = asyncio.run(_erase(case_id, subject_id))
    typer.echo(f"{subject_id} is erased" if done else f"{subject_id} was erased before")


async def _erase(case_id: str, subject_id: str) -> bool:
    settings = load_settings()
    async with open_store_of(settings) as store:
        vault = await own_vault(settings, store)
        erasures = Erasures(store=store, vault=vault, retention_days=settings.retention_days, damaged=warn_damaged)
        return await erasures.erase_subject(case_id, subject_id, actor="operator")
