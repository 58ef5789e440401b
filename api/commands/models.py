"""`heyan models prepare | list | verify | accept-licence`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table

from api.commands.failing import explained
from api.commands.tables import show_table
from api.settings import load_settings
from models import prepare as preparing
from models.errors import ModelError
from models.fetch import Progress as ShowProgress
from models.licences import accept, acceptance
from models.packs import FoundPack, find_pack, is_directory, shipped_packs

commands = typer.Typer(help="The weights: fetch, compile, check.", no_args_is_help=True)

PackOption = Annotated[str | None, typer.Option("--pack", help="model pack; HEYAN_PACK if not given")]

DAMAGED = 1


@commands.command()
def prepare(pack: PackOption = None) -> None:
    """Fetch the weights, check their SHA-256 and compile them; quick when nothing is to do."""
    with explained(), _progress() as progress:
        settings = load_settings(pack=pack)
        directory = preparing.model_directory()
        models = preparing.prepare(settings.data_dir, settings.pack, directory=directory, progress=progress)
    for model in models:
        typer.echo(f"{model.name} ready: {model.compiled}{_weights(model)}")


@commands.command(name="list")
def list_models() -> None:
    """All packs, with licences, whether their terms are accepted, and which of their models are ready."""
    with explained():
        settings = load_settings()
        own = (find_pack(settings.pack),) if is_directory(settings.pack) else ()
        packs = [(found, preparing.inventory(settings.data_dir, found.name)) for found in (*shipped_packs(), *own)]
    for found, models in packs:
        table = Table(Column("model", no_wrap=True), "task", "licence", "ready")
        for model in models:
            ready = f"yes{_weights(model)}" if model.ready else "no"
            table.add_row(model.name, model.entry.task, model.entry.licence, ready)
        typer.echo(f"{found.name}: {found.pack.licence}{_accepted(settings.data_dir, found)}")
        show_table(table)


@commands.command(name="accept-licence")
def accept_licence(
    pack: Annotated[str, typer.Argument(help="model pack: a name, or a directory with a slash")],
    by: Annotated[str | None, typer.Option("--as", help="who accepts; your account's name if not given")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask: for scripts")] = False,
) -> None:
    """Show the terms of a pack's weights, and record who accepts them, and when. Exit code 2 if they are not."""
    with explained():
        settings = load_settings(pack=pack)
        found = find_pack(settings.pack)
        terms, earlier = found.pack.terms, acceptance(settings.data_dir, found)
        if terms is None:
            typer.echo(f"{found.name} has no terms to accept: {found.pack.licence}")
            return
        if earlier is not None:
            typer.echo(f"{found.name}: accepted by {earlier.accepted_by} at {earlier.accepted_at.isoformat()}")
            return
        typer.echo(f"{found.name}: {found.pack.licence}\n\n{terms.strip()}\n")
        if not yes and not typer.confirm("Do you accept?"):
            raise ModelError(
                "licence_not_accepted", f"the terms of {found.name} were not accepted; nothing was recorded"
            )
        accepted = accept(settings.data_dir, found, by=by or _account(), now=datetime.now(UTC))
    typer.echo(f"recorded: {found.name}, {accepted.accepted_by}, {accepted.accepted_at.isoformat()}")


@commands.command()
def verify(pack: PackOption = None) -> None:
    """Read every file of the pack and compare checksums. Exit code 1 if one is missing or damaged."""
    with explained():
        settings = load_settings(pack=pack)
        faults = list(preparing.verify_files(settings.data_dir, settings.pack))
    for model, fault in faults:
        typer.echo(f"{model.name}: {fault or 'intact'}")
    raise typer.Exit(DAMAGED if any(fault for _, fault in faults) else 0)


def _weights(model: preparing.PreparedModel) -> str:
    """What 8-bit weights gave here; nothing of a model that has none to try."""
    trial = model.trial
    if trial is None or trial.time == 1.0:
        return ""
    return f"; with 8-bit weights {trial.time:.2f} of the time: {'chosen' if trial.chosen else 'not chosen'}"


def _account() -> str:
    """The name of whoever runs this; empty where the system knows none, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):
        return ""


def _accepted(data_dir: Path, found: FoundPack) -> str:
    """Whether somebody has accepted its terms; nothing of a pack that has none."""
    if found.pack.terms is None:
        return ""
    accepted = acceptance(data_dir, found)
    return f"; accepted by {accepted.accepted_by}" if accepted else "; not accepted yet"


@contextmanager
def _progress() -> Iterator[ShowProgress]:
    """A progress bar on standard error: one line a file."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(label: str, done: int, total: int | None) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label)
            bars.update(tasks[label], completed=done, total=total)

        yield show
