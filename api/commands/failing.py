"""Errors on the command line: one line on standard error that says how to mend it, never a traceback."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from api.errors import ApiError
from api.settings import SettingsError, default_data_dir
from models.errors import ModelsError
from verify.audit import AuditChainBrokenError
from verify.errors import VerifyError
from verify.policy import PolicyError

BAD_INPUT = 2

KNOWN = (ApiError, AuditChainBrokenError, ModelsError, PolicyError, SettingsError, VerifyError)
"""Errors with a stable code and a message for people."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
OF_DISKS = frozenset({*NO_ROOM, errno.EFBIG, errno.EROFS, errno.EIO})
"""What the system says of a disk, often without a word about the file."""


@contextmanager
def explained(data_dir: Path | None = None) -> Iterator[None]:
    """Print a known error as `code: message` and leave with exit code 2; of the system's errors what they are about.

    `data_dir`: an option of this command, in place of the settings' own.
    """
    try:
        yield
    except KNOWN as error:
        complain(error.code, str(error))
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):  # nothing of a file: who read us has left
            raise
        complain("file_unusable", unusable(error, data_dir=data_dir))
    else:
        return
    raise typer.Exit(BAD_INPUT) from None


def unusable(error: OSError, *, data_dir: Path | None = None) -> str:
    """Which file, or which directory at least, why, and what to do about it."""
    where = error.filename
    if where is None and error.errno in OF_DISKS:
        where = f"a file in {data_dir or os.environ.get('HEYAN_DATA_DIR') or default_data_dir()}"
    told = (where if isinstance(where, str) else where and os.fsdecode(where), error.strerror)
    return f"{': '.join(part for part in told if part)}; {_mending(error.errno)}"


def _mending(number: int | None) -> str:
    if number in NO_ROOM:
        return "make room on that disk, or set HEYAN_DATA_DIR to a directory on a larger one"
    if number in FORBIDDEN:
        owner = f"this runs as user {os.geteuid()}"
        return f"see who owns it and its permissions (ls -ld), and run heyan as its owner; {owner}"
    return "give a path that can be used; HEYAN_DATA_DIR names the data directory"


def warn_damaged(case_id: str) -> None:
    """That a case is left out, to standard error."""
    complain("case_damaged", f"the record of {case_id} cannot be read and is left as it is: run heyan audit verify")


def complain(code: str, message: str) -> None:
    """One error, to standard error."""
    console = Console(stderr=True)
    console.print(f"heyan: {code}: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
