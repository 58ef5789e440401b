"""`heyan archive verify`: check the package of a case with the published keys alone."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.commands.failing import complain
from api.commands.receipts import NOT_VALID, AllowTest, JwksOption, bad_input, read_file, read_keys
from verify.archive import CheckedArchive, check_archive
from verify.errors import Invalid

commands = typer.Typer(help="Packages of cases, as an archive keeps them.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Packages of cases, as an archive keeps them."""


@commands.command()
def verify(
    file: Annotated[Path, typer.Argument(help="the ZIP file; - for standard input")],
    jwks: JwksOption,
    allow_test: AllowTest = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, for machines")] = False,
) -> None:
    """Is this package whole and genuine? Exit code 0: valid, 1: not valid, 2: the files are not what they should be."""
    content, keys = read_file(file), read_keys(jwks)
    try:
        archive = check_archive(content, expected_keys=keys, allow_test=allow_test)
    except Invalid as error:
        if as_json:
            typer.echo(json.dumps({"valid": False, "code": error.code, "detail": str(error)}))
        complain(error.code, str(error))
        raise typer.Exit(NOT_VALID) from None
    except ValueError as error:
        raise bad_input("file_invalid", f"{file}: {error}; give what /v1/cases/…/archive answered") from None
    _show(archive, as_json=as_json)


def _show(archive: CheckedArchive, *, as_json: bool) -> None:
    receipts = [receipt.claims.jti for receipt in archive.receipts]
    if as_json:
        content = {
            "valid": True,
            "case": archive.case,
            "mode": archive.mode,
            "made_at": archive.made_at.isoformat(),
            "receipts": receipts,
            "entries": archive.entries,
            "covered": archive.covered,
            "checkpoint": archive.checkpoint,
        }
        typer.echo(json.dumps(content))
        return
    mode = (
        "[green]valid[/]" if archive.mode == "live" else "[yellow]valid, of test mode: proves nothing about a filing[/]"
    )
    console = Console()
    console.print(f"{mode}: case {archive.case}, packed {archive.made_at:%Y-%m-%d %H:%M:%S} UTC", soft_wrap=True)
    console.print(
        f"{len(receipts)} receipts, {archive.entries} audit entries, of which checkpoint {archive.checkpoint} covers "
        f"{archive.covered}",
        highlight=False,
        soft_wrap=True,
    )
