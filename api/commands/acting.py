"""Acting as an operator on the command line: who, with which key; and how operators and moments are shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from getpass import GetPassWarning
from pathlib import Path
from typing import Annotated
from warnings import catch_warnings, simplefilter

import typer

from api.commands.receipts import bad_input, read_file

AsOption = Annotated[str, typer.Option("--as", metavar="OPERATOR", help="your id, as `heyan operators list` shows it")]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="a file with your operator's key, - for standard input; else it is asked")
]


def shown_key(operator_id: str, key: Path | None, *, option: str = "--key") -> str:
    """The key that an operator shows. `option`: which names a file with it, where nobody can be asked."""
    if key is not None:
        return read_file(key).decode("utf-8", "replace").strip()
    with catch_warnings():
        simplefilter("error", GetPassWarning)
        try:
            return str(typer.prompt(f"key of {operator_id}", hide_input=True, err=True))
        except GetPassWarning:
            message = f"there is no terminal to ask for the key of {operator_id}: {option} FILE, or {option} -"
            raise bad_input("operator_key_missing", f"{message} for standard input") from None


def moment(at: float) -> str:
    """Unix seconds, for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def who(operator_id: str, people: Mapping[str, str]) -> str:
    """`people`: names by id."""
    return f"{people.get(operator_id, 'somebody unknown')} ({operator_id})"
