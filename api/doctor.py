"""`heyan doctor`: is everything here that the service needs, and if not, what to do."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from api.system_errors import unusable

FREE_BYTES = 1024**3
"""Weights and their compiled copies take 70 MB; the rest is room for the append-only file of the store."""

LEAST_PYTHON = (3, 11)

OPENCV_DISTRIBUTIONS = frozenset(
    {"opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check."""

    check: str
    ok: bool
    found: str
    advice: str = ""
    """What to do; empty if all is well."""


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Python is new enough."""
    advice = (
        "" if version >= LEAST_PYTHON else "install Python 3.11 or newer, then: make clean, make PYTHON=python3.11 run"
    )
    return Finding(check="python", ok=not advice, found=platform.python_version(), advice=advice)


def check_opencv(names: frozenset[str] | None = None) -> Finding:
    """Exactly one OpenCV distribution, the headless one: they all own the same package and break each other."""
    installed = sorted(OPENCV_DISTRIBUTIONS & (names if names is not None else _installed()))
    ok = installed == ["opencv-python-headless"]
    found = " ".join(installed)
    remedy = [f"pip uninstall {found}"] if installed else []
    advice = "" if ok else "; ".join([*remedy, "pip install --force-reinstall opencv-python-headless"])
    return Finding(check="opencv", ok=ok, found=found or "none", advice=advice)


def check_disk(folder: Path) -> Finding:
    """Room for weights and the store's append-only file."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    advice = "" if free >= FREE_BYTES else f"free some space, or set HEYAN_DATA_DIR to a larger disk than {existing}"
    return Finding(check="disk", ok=not advice, found=f"{free / FREE_BYTES:.1f} GiB free for {folder}", advice=advice)


def check_writable(folder: Path) -> Finding:
    """The data directory can be written, or made by the first start, and nobody else reads it. Nothing is made here."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        reason = "cannot be written" if existing.is_dir() else "no directory"
        advice = "set HEYAN_DATA_DIR to a directory you can write"
        return Finding(check="data", ok=False, found=f"{existing}: {reason}", advice=advice)
    if existing != folder:
        return Finding(check="data", ok=True, found=f"{folder} (not there yet: the first start makes it)")
    others = folder.stat().st_mode & 0o077
    advice = f"chmod 700 {folder}" if others else ""
    return Finding(
        check="data", ok=not others, found=str(folder) + (" (others can read it)" if others else ""), advice=advice
    )


def guarded(check: str, probe: Callable[[], str]) -> Finding:
    """Run a probe that says what it found, or raises an error whose message says how to mend it."""
    try:
        return Finding(check=check, ok=True, found=probe())
    except OSError as error:
        return Finding(check=check, ok=False, found="file_unusable", advice=unusable(error))
    except Exception as error:
        code = getattr(error, "code", type(error).__name__)
        return Finding(check=check, ok=False, found=str(code), advice=getattr(error, "for_operators", str(error)))


def _installed() -> frozenset[str]:
    return frozenset(_names())


def _names() -> Iterator[str]:
    for distribution in distributions():
        yield distribution.metadata["Name"].lower()
