"""Commands and scripts to one Redis or Valkey. Whatever goes wrong between us and it is `StoreUnavailable`.

A durable write is one whose answer waited for `WAITAOF`; a store older than 7.2, which lacks that command, must sync
its append-only file before it answers anything.
"""

from asyncio import timeout
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError, NoScriptError, RedisError, ResponseError

from verify.errors import StoreUnavailable

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
BACKOFF = ExponentialWithJitterBackoff(base=0.02, cap=0.2)
CONFIRM_MS = 2000
"""How long disks and replicas may take; a write that they have not confirmed by then is not acknowledged."""

WAITAOF_SINCE = (7, 2)

Command = Sequence[str | bytes | int]
"""Name and arguments; the key, where there is one, comes right after the name."""

Watch = Callable[[Sequence[Command]], AbstractContextManager[None]]
"""Entered around each round trip of these commands."""

_NOBODY: AbstractContextManager[None] = nullcontext()


def unwatched(_: Sequence[Command]) -> AbstractContextManager[None]:
    """Nobody looks."""
    return _NOBODY


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the SHA-1 by which stores know it (an address here, not a protection)."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> "Script":
        """A script from its text."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


class Connection:
    """A pool of connections to one store. `durable_replicas`: how many must confirm, beside the store's own disk;
    `answer_seconds`: how long one round trip may take."""

    def __init__(self, redis: Redis, *, durable_replicas: int = 0, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._redis = redis
        self._replicas = durable_replicas
        self._answer_seconds = answer_seconds
        self._has_waitaof: bool | None = None
        self._given_up: StoreUnavailable | None = None
        self.watch: Watch = unwatched

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    def give_up(self, error: StoreUnavailable) -> None:
        """Ask nothing any more: whatever is asked raises this error."""
        self._given_up = error

    async def ask(self, *command: str | bytes | int) -> Any:
        """One command. Raises StoreUnavailable."""
        return (await self.ask_all(command))[0]

    async def ask_all(self, *commands: Command) -> list[Any]:
        """Several commands in one round trip; an error of one is an error of all. Raises StoreUnavailable."""
        self._require_in_use()
        return [good(answer) for answer in await self._round_trip(commands)]

    async def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """What lies under each of these keys; None where nothing does. Raises StoreUnavailable."""
        found: list[bytes | None] = await self.ask("MGET", *keys) if keys else []
        return found

    async def everywhere(self, *command: str | bytes | int) -> list[Any]:
        """One command on every node, an answer each. Raises StoreUnavailable."""
        return [await self.ask(*command)]

    async def homes(self, key: str) -> list[str]:
        """Keys made of this one, of which every node holds one. Raises StoreUnavailable."""
        return [key]

    async def matching(self, pattern: str, *, page: int) -> AsyncIterator[str]:
        """All keys that match; some perhaps twice, those that come or go meanwhile perhaps. Raises StoreUnavailable."""
        cursor = b"0"
        while True:
            cursor, keys = await self.ask("SCAN", cursor, "MATCH", pattern, "COUNT", page)
            for key in keys:
                yield text(key)
            if int(cursor) == 0:
                return

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Any],
        *,
        durable: bool,
        first: Sequence[Command] = (),
        after: Sequence[Command] = (),
    ) -> str:
        """Run a script and, if it must be durable, wait until disks and replicas confirm what it wrote.

        All in one round trip. `first`: what the store takes before the script, or the script counts as not run.
        `after`: what it is told when the wait for the script is over; whether it takes that does not matter.

        Raises:
            StoreUnavailable: no answer or no confirmation. The script may have run.
        """
        self._require_in_use()
        wait = durable and await self.has_waitaof()
        waiting = (("WAITAOF", 1, self._replicas, CONFIRM_MS),) if wait else ()
        named, given = (len(keys), *keys, *arguments), (waiting, after)
        answer = await self._send(first, ("EVALSHA", script.sha, *named), *given)
        if isinstance(answer, NoScriptError):
            answer = await self._send(first, ("EVAL", script.text, *named), *given)
        return text(good(answer))

    async def has_waitaof(self) -> bool:
        """False for an older store that syncs before every answer. Raises StoreUnavailable if it does not."""
        if self._has_waitaof is None:
            versions = [str(info["redis_version"]) for info in await self.everywhere("INFO", "server")]
            has = all(tuple(int(part) for part in version.split(".")[:2]) >= WAITAOF_SINCE for version in versions)
            if not has:
                await self._require_sync_always()
            self._has_waitaof = has
        return self._has_waitaof

    async def _send(
        self, first: Sequence[Command], script: Command, waiting: Sequence[Command], after: Sequence[Command]
    ) -> Any:
        """A script's answer. All goes over one connection: WAITAOF covers that one's own writes."""
        answers = await self._round_trip((*first, script, *waiting, *after))
        before, (answer, *later) = answers[: len(first)], answers[len(first) :]
        for each in before:
            good(each)
        if waiting and not isinstance(answer, Exception):
            self._require_confirmed(later[0])
        return answer

    async def _round_trip(self, commands: Sequence[Command]) -> list[Any]:
        """Answers or errors of commands, while whoever watches looks on. Raises StoreUnavailable."""
        with self.watch(commands):
            return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Answers or errors of commands that go over one connection, in one round trip. Raises StoreUnavailable."""
        return await exchange(self._redis, commands, answer_seconds=self._answer_seconds)

    def _require_in_use(self) -> None:
        if self._given_up is not None:
            raise self._given_up

    def _require_confirmed(self, confirmed: Any) -> None:
        if isinstance(confirmed, Exception):
            raise StoreUnavailable(f"it cannot confirm writes: {confirmed}") from confirmed
        disks, replicas = int(confirmed[0]), int(confirmed[1])
        if disks < 1 or replicas < self._replicas:
            raise StoreUnavailable(f"confirmed by {disks} of 1 disk and {replicas} of {self._replicas} replicas")

    async def _require_sync_always(self) -> None:
        for found in await self.everywhere("CONFIG GET", "append*"):
            settings = {text(name): text(value) for name, value in found.items()}
            if settings.get("appendonly") != "yes" or settings.get("appendfsync") != "always":
                advice = "a store older than 7.2 must run with appendonly yes and appendfsync always; or upgrade it"
                raise StoreUnavailable(advice)


def connect(
    url: str, *, durable_replicas: int = 0, answer_seconds: float = ANSWER_SECONDS, repeats: int = 3
) -> Connection:
    """A connection that repeats what broke off; everything that goes over it may be repeated."""
    return Connection(client(url, repeats=repeats), durable_replicas=durable_replicas, answer_seconds=answer_seconds)


def client(url: str, *, repeats: int = 3) -> Redis:
    """A pool of connections to one server. What broke off is repeated. No timer for every answer: see `exchange`."""
    return Redis.from_url(
        url,
        socket_timeout=None,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(BACKOFF, repeats, supported_errors=(ConnectionError,)),
    )


class SameConnection:
    """While it is entered, a task's round trips to one server go over one connection, taken from its pool once.

    What runs beside each other in it has connections of its own, and so has what outlives it.
    """

    def __init__(self) -> None:
        self._kept = dict[ConnectionPool, AbstractConnection]()
        self._entered = False

    async def __aenter__(self) -> None:
        self._entered, self._before = True, _KEEPER.set(self)

    async def __aexit__(self, *_: object) -> None:
        self._entered = False
        _KEEPER.reset(self._before)
        while self._kept:
            pool, connection = self._kept.popitem()
            await pool.release(connection)

    async def take(self, pool: ConnectionPool) -> AbstractConnection:
        """The connection that is kept, or one of the pool; nobody else has it until it is given back."""
        kept = self._kept.pop(pool, None)
        return kept if kept is not None else await pool.get_connection()  # type: ignore[no-untyped-call]

    async def give_back(self, pool: ConnectionPool, connection: AbstractConnection) -> None:
        """Keep a connection for the next round trip, or let the pool have it."""
        if self._entered and pool not in self._kept:
            self._kept[pool] = connection
        else:
            await pool.release(connection)


_KEEPER: ContextVar[SameConnection] = ContextVar("keeper", default=SameConnection())  # noqa: B039  (it keeps nothing)


async def exchange(redis: Redis, commands: Sequence[Command], *, answer_seconds: float = ANSWER_SECONDS) -> list[Any]:
    """Answers or errors of commands, over one connection, in one round trip. Raises StoreUnavailable.

    One timer covers all of it, connecting and repeating too: a store that hangs keeps nobody for longer. A pipeline of
    redis-py sets one for every answer, and does more that is not needed here (docs/decisions.md).
    """
    pool, keeper = redis.connection_pool, _KEEPER.get()
    try:
        async with timeout(answer_seconds):
            connection = await keeper.take(pool)
            try:
                answers: list[Any] = await connection.retry.call_with_retry(
                    lambda: _answers(redis, connection, commands), lambda _: connection.disconnect()
                )
            finally:
                await keeper.give_back(pool, connection)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(type(error).__name__) from error
    return answers


async def _answers(redis: Redis, connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    """One attempt: each answer as redis-py gives it out, or an error.

    A connection that breaks off, or whose turn is cancelled, is closed by redis-py with its answers.
    """
    await connection.send_packed_command(connection.pack_commands(commands))
    answers, given_out_by = list[Any](), redis.response_callbacks.get
    for command in commands:
        try:
            answer = await connection.read_response()
        except ResponseError as error:
            answers.append(error)
            continue
        given_out = given_out_by(str(command[0]))
        answers.append(answer if given_out is None else given_out(answer))
    return answers


def good(answer: Any) -> Any:
    """The answer. Raises StoreUnavailable if it is an error."""
    if isinstance(answer, Exception):
        raise StoreUnavailable(type(answer).__name__) from answer
    return answer


def text(value: bytes | str | None) -> str:
    """A value as text; "" for one that is not there."""
    return value.decode("utf-8") if isinstance(value, bytes) else (value or "")
