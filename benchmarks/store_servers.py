"""Store servers of their own for tests and faults: on loopback TCP with a password, stopped at the end."""

import asyncio
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from verify.connection import Connection, connect
from verify.embedded import server_binary
from verify.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def running_server(folder: Path, *, binary: str | None = None, **settings: str) -> Iterator[Server]:
    """A server with an append-only file that is synced always; `settings` win (underscores stand for dashes).

    `binary`: of another server than the embedded one.
    """
    port, password = free_port(), secrets.token_hex(8)
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
    process = subprocess.Popen([binary or str(server_binary()), *arguments], start_new_session=True)
    try:
        url = f"redis://:{wanted['requirepass']}@127.0.0.1:{port}/0"
        _await_answer(url)
        yield Server(url, process)
    finally:
        process.kill()
        process.wait(timeout=10)


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary with replicas, and sentinels that watch over them; `url` is as the service takes it."""

    url: str
    primary: Server
    replicas: tuple[Server, ...]


@contextmanager
def running_under_sentinels(
    folder: Path, *, replicas: int = 2, sentinels: int = 3, **settings: str
) -> Iterator[Watched]:
    """Sentinels that call a primary down after half a second, if two of them think so; `settings` of every server."""
    password = secrets.token_hex(8)
    with ExitStack() as stack:
        shared = {**settings, "requirepass": password, "primaryauth": password}
        servers = [
            stack.enter_context(running_server(made(folder / f"server-{number}"), **shared))
            for number in range(1 + replicas)
        ]
        asyncio.run(_replicate(servers[0].url, [server.url for server in servers[1:]]))
        port = urlsplit(servers[0].url).port or 0
        places = [stack.enter_context(_sentinel(folder / f"sentinel-{n}", port, password)) for n in range(sentinels)]
        watched = ",".join(f"127.0.0.1:{place}" for place in places)
        asyncio.run(_until_all_know(places, replicas=replicas, sentinels=sentinels))
        yield Watched(f"redis+sentinel://:{password}@{watched}/heyan/0", servers[0], tuple(servers[1:]))


@contextmanager
def _sentinel(folder: Path, primary: int, password: str) -> Iterator[int]:
    port = free_port()
    settings = (
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {made(folder)}",
        "logfile sentinel.log",
        f"sentinel monitor heyan 127.0.0.1 {primary} 2",
        f"sentinel auth-pass heyan {password}",
        "sentinel down-after-milliseconds heyan 500",
        "sentinel failover-timeout heyan 5000",
    )
    (folder / "sentinel.conf").write_text("\n".join(settings) + "\n")
    process = subprocess.Popen(
        [str(server_binary()), str(folder / "sentinel.conf"), "--sentinel"], start_new_session=True
    )
    try:
        _await_answer(f"redis://127.0.0.1:{port}")
        yield port
    finally:
        process.kill()
        process.wait(timeout=10)


async def _replicate(primary: str, replicas: list[str]) -> None:
    port = urlsplit(primary).port or 0
    for url in replicas:
        async with _connected(url) as replica:
            await replica.ask("REPLICAOF", "127.0.0.1", port)
            await _until(partial(_is_linked, replica), "a replica does not reach its primary")


async def _is_linked(replica: Connection) -> bool:
    return bool((await replica.ask("INFO", "replication")).get("master_link_status") == "up")


async def _until_all_know(sentinels_at: list[int], *, replicas: int, sentinels: int) -> None:
    """Sentinels find replicas and each other by and by; before they have, they elect nobody."""
    for port in sentinels_at:
        async with _connected(f"redis://127.0.0.1:{port}") as sentinel:
            await _until(partial(_knows, sentinel, replicas, sentinels), "the sentinels do not find each other")


async def _knows(sentinel: Connection, replicas: int, sentinels: int) -> bool:
    seen = await sentinel.ask("SENTINEL MASTER", "heyan")
    return bool(seen["num-slaves"] == replicas and seen["num-other-sentinels"] == sentinels - 1)


@asynccontextmanager
async def _connected(url: str, *, repeats: int = 3) -> AsyncIterator[Connection]:
    connection = connect(url, repeats=repeats)
    try:
        yield connection
    finally:
        await connection.close()


async def _until(holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    end = monotonic() + 30
    while not await holds():
        if monotonic() > end:
            raise TimeoutError(otherwise)
        await asyncio.sleep(0.1)


def made(folder: Path) -> Path:
    """A folder, made."""
    folder.mkdir()
    return folder


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
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
    async with _connected(url, repeats=0) as connection:
        try:
            await connection.ask("PING")
        except StoreUnavailable:
            return False
        return True
