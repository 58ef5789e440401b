"""Errors on the command line: one line on standard error that says how to mend it, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from api.errors import ApiError
from api.settings import SettingsError
from models.errors import ModelsError
from verify.audit import AuditChainBrokenError
from verify.errors import VerifyError
from verify.policy import PolicyError

BAD_INPUT = 2

KNOWN = (ApiError, AuditChainBrokenError, ModelsError, PolicyError, SettingsError, VerifyError)
"""Errors with a stable code and a message for people."""


@contextmanager
def explained() -> Iterator[None]:
    """Print a known error as `code: message` and leave with exit code 2."""
    try:
        yield
    except KNOWN as error:
        complain(error.code, getattr(error, "for_operators", str(error)))
        raise typer.Exit(BAD_INPUT) from None


def warn_damaged(case_id: str) -> None:
    """That a case is left out, to standard error."""
    complain("case_damaged", f"the record of {case_id} cannot be read and is left as it is: run heyan audit verify")


def complain(code: str, message: str) -> None:
    """One error, to standard error."""
    console = Console(stderr=True)
    console.print(f"heyan: {code}: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
