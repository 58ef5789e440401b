"""A cluster of stores (Redis Cluster, Valkey Cluster) behind the same few methods as one store.

Every script touches keys of one slot: a case's keys share the hash tag of its id, and so do those of the log and of the
webhooks. What a commit marks elsewhere goes to that place's node first, durably where the commit is, and the commit
follows: a mark without a commit is found to mean nothing. Each case is dated by the clock of its own node.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
    TryAgainError,
)

from verify.connection import CONNECT_SECONDS, Command, Connection, client, exchange, good, text
from verify.errors import StoreUnavailable

SCHEMES = ("redis+cluster://", "rediss+cluster://")
NO_KEY = frozenset({"TIME", "PING", "INFO", "CONFIG GET", "SCRIPT FLUSH", "SCAN", "WAITAOF"})
SCRIPTS = frozenset({"EVAL", "EVALSHA"})
FIRST_KEY = 3
"""Where a script's first key stands: after name, script and number of keys."""
REPEATS = 4
PAUSE_SECONDS = 0.1
"""Before a command is repeated on a cluster that is rearranging itself; twice as long each time."""
REARRANGED = (MovedError, AskError, TryAgainError, ClusterDownError)


class ClusterConnection(Connection):
    """Connections to all primaries. `durable_replicas`: how many of a primary's own replicas must confirm."""

    def __init__(self, url: str, *, durable_replicas: int = 0) -> None:
        self._url = url
        self._cluster = RedisCluster.from_url(url, socket_connect_timeout=CONNECT_SECONDS)
        self._clients: dict[str, Redis] = {}
        super().__init__(client(url), durable_replicas=durable_replicas)

    async def close(self) -> None:
        """Close all connections."""
        for each in (*self._clients.values(), self._redis):
            await each.aclose()
        await self._cluster.aclose()

    async def ask_all(self, *commands: Command) -> list[Any]:
        """As one store's, but a round trip for each run of commands on keys of one slot, all at once."""
        runs = _runs(commands)
        answers = await asyncio.gather(*(super(ClusterConnection, self).ask_all(*run) for run in runs))
        return [answer for part in answers for answer in part]

    async def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Connection`: here keys lie in different slots, and each is asked for by itself."""
        return await self.ask_all(*(("GET", key) for key in keys)) if keys else []

    async def everywhere(self, *command: str | bytes | int) -> list[Any]:
        """One command on every primary. Raises StoreUnavailable."""
        answers = [(await exchange(self._client(node), [command]))[0] for node in await self._primaries()]
        failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if failed is not None:
            raise StoreUnavailable(type(failed).__name__) from failed
        return answers

    async def homes(self, key: str) -> list[str]:
        """A key on every primary. Raises StoreUnavailable."""
        missing, found = {node.name for node in await self._primaries()}, list[str]()
        for number in range(10_000):
            if not missing:
                break
            named = f"{key}:{number}"
            node = await self._node_of(named)
            if node.name in missing:
                missing.discard(node.name)
                found.append(named)
        return found

    async def matching(self, pattern: str, *, page: int) -> AsyncIterator[str]:
        """All keys of all primaries that match. Raises StoreUnavailable."""
        for node in await self._primaries():
            async for key in Connection(self._client(node)).matching(pattern, page=page):
                yield key

    async def _send(
        self, first: Sequence[Command], script: Command, waiting: Sequence[Command], after: Sequence[Command]
    ) -> Any:
        """What goes before a script goes to its own nodes, and is confirmed there if the script has to be."""
        before = await asyncio.gather(*(self._confirmed(run, waiting) for run in _runs(first)))
        for answer in (answer for run in before for answer in run):
            good(answer)
        (answer,) = await self._confirmed([script], waiting)
        if after and not isinstance(answer, Exception):
            with suppress(StoreUnavailable):
                await self.ask_all(*after)
        return answer

    async def _confirmed(self, run: Sequence[Command], waiting: Sequence[Command]) -> list[Any]:
        """Answers of commands on keys of one slot, confirmed there if all were taken, or errors."""
        answers = await self._round_trip([*run, *waiting])
        ran = answers[: len(run)]
        if waiting and not any(isinstance(answer, Exception) for answer in ran):
            self._require_confirmed(answers[-1])
        return ran

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """On the node of the first command's key; repeated while the cluster moves it. Raises StoreUnavailable."""
        key, pause = _key_of(commands[0]), PAUSE_SECONDS
        for _ in range(REPEATS):
            node = await self._node_of(key) if key is not None else (await self._primaries())[0]
            try:
                answers = await exchange(self._client(node), commands)
            except StoreUnavailable:
                answers = [ClusterDownError("a node does not answer")]
            if not any(isinstance(answer, REARRANGED) for answer in answers):
                return answers
            await asyncio.sleep(pause)
            pause *= 2
            await self._look_anew()
        raise StoreUnavailable("the cluster is rearranging itself, or a part of it is down")

    async def _primaries(self) -> list[ClusterNode]:
        await self._known()
        return sorted(self._cluster.get_primaries(), key=lambda node: str(node.name))

    async def _node_of(self, key: str) -> ClusterNode:
        await self._known()
        node = self._cluster.get_node_from_key(key)
        if node is None:
            raise StoreUnavailable("no node of the cluster holds a part of the keys")
        return node

    async def _known(self) -> None:
        try:
            await self._cluster.initialize()
        except (RedisError, RedisClusterException, OSError) as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def _look_anew(self) -> None:
        await self._cluster.aclose()
        await self._known()

    def _client(self, node: ClusterNode) -> Redis:
        name = str(node.name)
        if name not in self._clients:
            self._clients[name] = client(_address(self._url, name), repeats=1)
        return self._clients[name]


def _runs(commands: Sequence[Command]) -> list[list[Command]]:
    """Commands on keys of one slot that follow each other; one without a key goes with those before it."""
    slots = list[int]()
    for command in commands:
        key = _key_of(command)
        slots.append(key_slot(key.encode()) if key is not None else slots[-1] if slots else -1)
    pairs = zip(slots, commands, strict=True)
    return [[command for _, command in run] for _, run in groupby(pairs, key=lambda pair: pair[0])]


def _key_of(command: Command) -> str | None:
    """The first key of a command; None where it has none."""
    name = str(command[0])
    if name in NO_KEY:
        return None
    key = command[FIRST_KEY if name in SCRIPTS else 1]
    return key if isinstance(key, str) else text(bytes(str(key), "utf-8") if isinstance(key, int) else key)


def _address(url: str, node: str) -> str:
    """The address of another node, with the same credentials."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}{node}").geturl()
