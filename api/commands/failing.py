"""Errors on the command line: one line on standard error that says how to mend it, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import typer
from rich.console import Console

from api.errors import ApiError
from api.settings import SettingsError
from api.system_errors import unusable
from models.errors import ModelsError
from verify.audit import AuditChainBrokenError
from verify.errors import VerifyError
from verify.policy import PolicyError

BAD_INPUT = 2

PREPARE = "heyan models prepare"

KNOWN = (ApiError, AuditChainBrokenError, ModelsError, PolicyError, SettingsError, VerifyError)
"""Errors with a stable code and a message for people."""


@contextmanager
def explained(data_dir: Path | None = None) -> Iterator[None]:
    """Print a known error as `code: message` and leave with exit code 2; of the system's errors what they are about.

    `data_dir`: an option of this command, which other commands are told by the environment.
    """
    try:
        yield
    except KNOWN as error:
        complain(error.code, _with_directory(getattr(error, "for_operators", str(error)), data_dir))
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):  # nothing of a file: who read us has left
            raise
        complain("file_unusable", unusable(error, data_dir=data_dir))
    else:
        return
    raise typer.Exit(BAD_INPUT) from None


def _with_directory(message: str, data_dir: Path | None) -> str:
    """The advice to prepare the weights, of the directory that lacks them."""
    if data_dir is None:
        return message
    return message.replace(PREPARE, f"HEYAN_DATA_DIR={quote(str(data_dir))} {PREPARE}")


def warn_damaged(case_id: str) -> None:
    """That a case is left out, to standard error."""
    complain("case_damaged", f"the record of {case_id} cannot be read and is left as it is: run heyan audit verify")


def complain(code: str, message: str) -> None:
    """One error, to standard error."""
    console = Console(stderr=True)
    console.print(f"heyan: {code}: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
