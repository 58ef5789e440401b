"""Errors on the command line: one line on standard error that says how to mend it, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import typer
from rich.console import Console

from benchmarks.calibration.derive import CalibratingError
from benchmarks.calibration.labelled import LabelsError
from benchmarks.load.room import PicturesUsedUpError
from benchmarks.outcome_file import OutcomeFileError
from benchmarks.pairs_file import PairsError
from benchmarks.photos import PhotosError
from benchmarks.report.writing import DocumentError
from benchmarks.service import ServiceError
from benchmarks.table_file import TableError
from benchmarks.tokens.bare import NotAppliedError
from models.errors import ModelsError
from verify.policy import PolicyError

BAD_INPUT = 2

KNOWN = (
    CalibratingError,
    DocumentError,
    LabelsError,
    ModelsError,
    NotAppliedError,
    OutcomeFileError,
    PairsError,
    PhotosError,
    PicturesUsedUpError,
    PolicyError,
    ServiceError,
    TableError,
)
"""Errors with a stable code and a message for people."""


@contextmanager
def explained() -> Iterator[None]:
    """Print a known error as `code: message` and leave with exit code 2."""
    try:
        yield
    except KNOWN as error:
        _complain(error.code, str(error))
    except httpx.HTTPStatusError as error:
        _complain(f"HTTP {error.response.status_code}", error.response.text)
    except httpx.HTTPError as error:
        _complain("service_unreachable", f"{type(error).__name__}: {error}")
    except OSError as error:
        _complain("file_unreadable", f"{error.filename}: {error.strerror}")
    else:
        return
    raise typer.Exit(BAD_INPUT) from None


def _complain(code: str, message: str) -> None:
    console = Console(stderr=True)
    console.print(f"heyan-bench: {code}: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
