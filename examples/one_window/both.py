"""heyan beside the window: started as an operator starts it, and asked for an API key as an operator asks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HEYAN = str(Path(sys.executable).with_name("heyan"))
STOP_SECONDS = 75.0
"""heyan lets live sessions end first."""
LISTENS = "heyan listens on "
AUTHORITY = "  The certificate authority of this service is "
CLIENT = "登记窗口"


class BothError(Exception):
    """heyan could not be started."""


@contextmanager
def heyan_running(*, port: int, tls: bool) -> Iterator[tuple[str, Path | None]]:
    """`heyan serve` on its embedded defaults. Gives its address, and with TLS its certificate authority.

    Raises:
        BothError: it ended before it listened; it has said why.
    """
    command = [HEYAN, "serve", "--port", str(port), *(["--tls"] if tls else [])]
    needed = {"HEYAN_WEBHOOK_PRIVATE_ADDRESSES": "true", "PYTHONUNBUFFERED": "1"}
    environment = {"HEYAN_LOG_LEVEL": "warning", **os.environ, **needed}
    # A session of its own: Ctrl-C comes to the window, which ends heyan after itself.
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True
    )
    try:
        yield _where(process, tls=tls)
    finally:
        _end(process)


def own_key(folder: Path, *, origin: str, test: bool) -> str:
    """The window's API key, made by `heyan keys create` the first time. Links may lead back to `origin`.

    Raises:
        BothError: no key could be made.
    """
    kept = folder / "heyan.key"
    if kept.exists():
        return kept.read_text("ascii").strip()
    command = [HEYAN, "keys", "create", "--client", CLIENT, "--return-origin", origin, *(["--test"] if test else [])]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="ascii", check=False)
    if made.returncode != 0:
        raise BothError("heyan made no API key")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(made.stdout)
    return made.stdout.strip()


def _where(process: "subprocess.Popen[str]", *, tls: bool) -> tuple[str, Path | None]:
    """What heyan announces; all of it is passed on."""
    url, authority = "", None
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if line.startswith(LISTENS):
            url = line.removeprefix(LISTENS).strip()
        if line.startswith(AUTHORITY):
            authority = Path(line.removeprefix(AUTHORITY).strip().rstrip(";"))
        if url and (authority or not tls):
            return url, authority
    raise BothError("heyan did not start")


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
