"""Store servers for tests alone: a cluster, and one that dies and comes back."""

import asyncio
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from redis.asyncio import Redis

from benchmarks.store_servers import free_port, made, running_server
from verify.connection import connect
from verify.embedded import EmbeddedValkey, server_binary

VALKEY = str(server_binary())
SLOTS = 16384
"""Of a cluster, by its specification."""


@contextmanager
def running_cluster(folder: Path, *, binary: str = VALKEY, nodes: int = 3) -> Iterator[str]:
    """A cluster of servers without replicas, its slots shared out evenly; gives its address."""
    with ExitStack() as stack:
        password, buses = secrets.token_hex(8), [free_port() for _ in range(nodes)]
        servers = [
            stack.enter_context(
                running_server(
                    made(folder / str(bus)),
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


async def kill_and_start(server: EmbeddedValkey) -> None:
    """End an embedded server without warning, and start it again on the same append-only file."""
    connection = connect(server.url)
    process = int((await connection.ask("INFO", "server"))["process_id"])
    await connection.close()
    os.kill(process, signal.SIGKILL)
    await server.close()
    await server.start(supervise=False)
