"""A service under cProfile, switched on and off by SIGUSR1, and where its processor time went.

What Python's own library and built-in functions take is put down to whoever called them. cProfile adds to every call of
Python, so that code in C looks cheaper beside it than it is; what the event loop does between calls is not seen.
"""

import os
import runpy
import signal
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from cProfile import Profile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pstats import Stats
from typing import Any

from benchmarks.service import HEYAN, Service

PARTS: Mapping[str, tuple[str, ...]] = {
    "signatures": ("joserfc", "cryptography"),
    "way to the store": ("redis",),
    "HTTP": ("uvicorn", "starlette", "fastapi", "pydantic", "pydantic_core"),
    "logs and metrics": ("structlog", "logging", "prometheus_client"),
    "deciding, hashing, encoding": ("verify", "msgspec"),
    "own code about HTTP": ("api",),
}
"""Packages by what they are there for."""

OTHER = "other"

Function = tuple[str, int, str]
"""File, line and name."""


def program(file: Path) -> Sequence[str | Path]:
    """What to start in place of `heyan` so that its profile comes into a file (`running_service`)."""
    return sys.executable, "-m", __name__, file, HEYAN


def switch(service: Service) -> None:
    """Begin to profile a service that was started as `program`, or end it and write the file."""
    os.kill(service.process.pid, signal.SIGUSR1)


def shares(file: Path) -> dict[str, float]:
    """Which share of the time in a profile each part took, the largest first. Raises OSError: there is no such file."""
    functions: Mapping[Function, Any] = Stats(str(file)).stats  # type: ignore[attr-defined]  # which typeshed lacks
    known: dict[Function, Mapping[str, float]] = {}
    seconds = defaultdict[str, float](float)
    for function, (_, _, own, _, _) in functions.items():
        for part, share in _parts(function, functions, known).items():
            seconds[part] += share * own
    whole = sum(seconds.values()) or 1.0
    return {part: each / whole for part, each in sorted(seconds.items(), key=lambda each: -each[1])}


def _parts(
    function: Function, functions: Mapping[Function, Any], known: dict[Function, Mapping[str, float]]
) -> Mapping[str, float]:
    """To which parts a function belongs: its package's, else its callers', by the time that it took for each."""
    if function not in known:
        own = _part_of(function[0])
        known[function] = {own or OTHER: 1.0}  # so far: functions may call each other in a circle
        callers = {} if own else {caller: edge[3] for caller, edge in functions[function][4].items()}
        if whole := sum(callers.values()):
            found = defaultdict[str, float](float)
            for caller, seconds in callers.items():
                for part, share in _parts(caller, functions, known).items():
                    found[part] += share * seconds / whole
            known[function] = found
    return known[function]


@cache
def _part_of(file: str) -> str | None:
    return next((part for root, part in _roots().items() if file.startswith(root)), None)


@cache
def _roots() -> Mapping[str, str]:
    """Folders of packages, and what each is there for."""
    specs = {name: (find_spec(name), part) for part, names in PARTS.items() for name in names}
    return {f"{Path(spec.origin).parent}{os.sep}": part for spec, part in specs.values() if spec and spec.origin}


def main() -> None:
    """Run the script that is named after the file, with what arguments are left."""
    file, profile, script = Path(sys.argv[1]), Profile(), sys.argv[2]
    sys.argv = sys.argv[2:]
    runs = False

    def switched(*_: object) -> None:
        nonlocal runs
        runs = not runs
        if runs:
            profile.enable()
            return
        profile.disable()
        profile.dump_stats(file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)

    signal.signal(signal.SIGUSR1, switched)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
