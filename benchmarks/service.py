"""A real service as a process of its own, for demos, tests and load: embedded store, loopback, a free port."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from time import monotonic

from models.prepare import default_data_dir

HEYAN = Path(sys.executable).with_name("heyan")
CROWD = {"connections_per_address": "1000000"}
"""Settings of a service whose many phones are all played on this machine, and so have one address."""
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class ServiceError(Exception):
    """`service_failed`: the service did not start."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "service_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that answers at `url`; `api_key` belongs to its first client."""

    url: str
    data_dir: Path
    api_key: str
    process: "subprocess.Popen[str]"

    @property
    def log(self) -> Path:
        """What it wrote to standard error."""
        return self.data_dir / "service.log"


@contextmanager
def running_service(data_dir: Path, *, program: Sequence[str | Path] = (HEYAN,), **settings: str) -> Iterator[Service]:
    """Start `heyan serve` on a data directory of its own, with the weights of the default one; stop it at the end.

    `program`: what is started in place of `heyan`. `settings`: further settings without their prefix, such as
    `live_sessions="2"`.

    Raises:
        ServiceError: it ended or said nothing for a minute.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    if not (data_dir / "models").exists():
        (data_dir / "models").symlink_to(default_data_dir().absolute() / "models")
    with (data_dir / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [*program, "serve", "--port", "0"],
            env=_environment(data_dir, settings),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        url = _announced(process, data_dir / "service.log")
        yield Service(url=url, data_dir=data_dir, api_key=_first_key(data_dir), process=process)
    finally:
        _stop(process)


def _first_key(data_dir: Path) -> str:
    """Of the first client, whom a service on its embedded store makes for itself; "" on any other store."""
    kept = data_dir / "keys" / "default-client.key"
    return kept.read_text("ascii").strip() if kept.exists() else ""


def _environment(data_dir: Path, settings: dict[str, str]) -> dict[str, str]:
    """The caller's environment without its settings of the service."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEYAN_")}
    named = {f"HEYAN_{name.upper()}": value for name, value in settings.items()}
    return {**inherited, "HEYAN_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1", **named}


def _announced(process: "subprocess.Popen[str]", log: Path) -> str:
    """The address that the service prints once it answers."""
    until = monotonic() + START_SECONDS
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    while monotonic() < until:
        ready, _, _ = select([process.stdout], [], [], 0.5)
        line = process.stdout.readline() if ready else ""
        if line.startswith("heyan listens on "):
            return line.removeprefix("heyan listens on ").strip()
        if process.poll() is not None:
            break
    raise ServiceError(f"the service did not start: {log.read_text('utf-8')[-2000:] or 'it wrote nothing'}")


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
