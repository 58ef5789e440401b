"""`heyan models prepare | list | verify`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from api.commands.failing import explained
from api.settings import load_settings
from models import prepare as preparing
from models.fetch import Progress as ShowProgress

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
        typer.echo(f"{model.name} ready: {model.compiled}")


@commands.command(name="list")
def list_models() -> None:
    """All models of all packs, with licence and whether they are ready."""
    with explained():
        models = preparing.inventory(load_settings().data_dir)
    table = Table("pack", "model", "task", "licence", "ready")
    for model in models:
        table.add_row(model.pack, model.name, model.entry.task, model.entry.licence, "yes" if model.ready else "no")
    Console().print(table)


@commands.command()
def verify(pack: PackOption = None) -> None:
    """Read every file of the pack and compare checksums. Exit code 1 if one is missing or damaged."""
    with explained():
        settings = load_settings(pack=pack)
        faults = list(preparing.verify_files(settings.data_dir, settings.pack))
    for model, fault in faults:
        typer.echo(f"{model.name}: {fault or 'intact'}")
    raise typer.Exit(DAMAGED if any(fault for _, fault in faults) else 0)


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
