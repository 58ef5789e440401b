"""`heyan receipts verify`: check a receipt with the published keys alone. No service, no store, no network."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.commands.failing import BAD_INPUT, complain
from api.commands.tables import show_table
from verify.errors import Invalid
from verify.jose import VerifyingKey, read_key_set
from verify.receipts import CheckedReceipt, check_receipt

commands = typer.Typer(help="Receipts, as an archive keeps them.", no_args_is_help=True)

NOT_VALID = 1

JwksOption = Annotated[Path, typer.Option("--jwks", help="the published keys, as `heyan jwks` prints them")]
AllowTest = Annotated[bool, typer.Option("--allow-test", help="also accept receipts of test mode")]

COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@commands.command()
def verify(
    file: Annotated[Path, typer.Argument(help="the receipt, or the JSON that it came in; - for standard input")],
    jwks: JwksOption,
    allow_test: AllowTest = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, for machines")] = False,
) -> None:
    """Is this receipt genuine? Exit code 0: valid, 1: not valid, 2: the files are not what they should be."""
    text, keys = receipt_text(read_file(file)), read_keys(jwks)
    try:
        receipt = check_receipt(text, expected_keys=keys, allow_test=allow_test)
    except Invalid as error:
        if as_json:
            typer.echo(json.dumps({"valid": False, "code": error.code, "detail": str(error)}))
        complain(error.code, str(error))
        raise typer.Exit(NOT_VALID) from None
    _show(receipt, as_json=as_json)


def read_file(path: Path) -> bytes:
    """A file, or standard input for `-`; leaves with exit code 2 if it cannot be read."""
    try:
        return typer.get_binary_stream("stdin").read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise bad_input("file_unreadable", f"{path}: {error.strerror}; give the path of a file") from None


def read_keys(path: Path) -> tuple[VerifyingKey, ...]:
    """The keys of a JWKS file; leaves with exit code 2 if it holds none of ours."""
    try:
        return read_key_set(read_file(path))
    except ValueError as error:
        message = f"{path}: {error}; save what /.well-known/jwks.json answers, or what `heyan jwks` prints"
        raise bad_input("jwks_invalid", message) from None


def receipt_text(content: bytes) -> str:
    """The compact JWS in a file; leaves with exit code 2 if there is none."""
    text = content.decode("utf-8", errors="replace").strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text)["receipt"])
        except (ValueError, KeyError):
            text = ""
    if not COMPACT.fullmatch(text):
        raise bad_input("file_invalid", "the file holds no receipt: a compact JWS, or the JSON answer with `receipt`")
    return text


def bad_input(code: str, message: str) -> typer.Exit:
    """Complain; the exit to raise."""
    complain(code, message)
    return typer.Exit(BAD_INPUT)


def _show(receipt: CheckedReceipt, *, as_json: bool) -> None:
    claims = {name: getattr(receipt.claims, name) for name in receipt.claims.__slots__}
    if as_json:
        typer.echo(json.dumps({"valid": True, "mode": receipt.mode, "kid": receipt.kid, "claims": claims}))
        return
    table = Table("claim", "value")
    for name, value in claims.items():
        table.add_row(name, escape(str(value)))
    show_table(table)
    mode = "[green]valid" if receipt.mode == "live" else "[yellow]valid, of test mode: proves nothing about a filing"
    Console().print(f"{mode}[/] (key {receipt.kid})", soft_wrap=True)
