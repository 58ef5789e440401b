"""The command line `heyan`. Bad input ends in a message and an exit code, never in a traceback."""

from importlib.metadata import version
from typing import Annotated

import typer

from api.commands import (
    archive,
    audit,
    compare,
    delivery,
    doctor,
    jwks,
    keys,
    models,
    officers,
    operators,
    policy,
    receipts,
    serve,
    store,
    subjects,
    tune,
    webhooks,
)

app = typer.Typer(
    name="heyan",
    help="Remote identity verification: a live person, the ID photo, a one-time token.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve.serve)
app.command()(compare.compare)
app.command()(doctor.doctor)
app.command()(tune.tune)
app.command()(jwks.jwks)
app.add_typer(models.commands, name="models")
app.add_typer(keys.commands, name="keys")
app.add_typer(webhooks.commands, name="webhooks")
app.add_typer(delivery.commands, name="delivery")
app.add_typer(receipts.commands, name="receipts")
app.add_typer(archive.commands, name="archive")
app.add_typer(audit.commands, name="audit")
app.add_typer(officers.commands, name="officers")
app.add_typer(operators.commands, name="operators")
app.add_typer(policy.commands, name="policy")
app.add_typer(subjects.commands, name="subjects")
app.add_typer(store.commands, name="store")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"heyan {version('heyan')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="show the version and leave")
    ] = False,
) -> None:
    """Remote identity verification: a live person, the ID photo, a one-time token."""


def main() -> None:
    """Entry point of the `heyan` script."""
    app()
