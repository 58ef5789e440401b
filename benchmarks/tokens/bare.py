"""The same commands once more and nothing else: what each redemption asked of the store, on twins of its cases."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from redis.asyncio import Redis

from verify.connection import Command, Connection, client, exchange, text

Trips = list[tuple[Command, ...]]
"""What went to the store, by round trips."""

PARTS = ("file", "audit", "notices")
"""Keys of a case."""

_TRIPS: ContextVar[Trips | None] = ContextVar("trips", default=None)


class RecordedConnection(Connection):
    """Keeps what goes to the store while somebody wants to know."""

    def _exchange(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        trips = _TRIPS.get()
        if trips is not None:
            trips.append(tuple(commands))
        return super()._exchange(commands)


@contextmanager
def recorded() -> Iterator[Trips]:
    """The round trips of this task meanwhile."""
    trips: Trips = []
    before = _TRIPS.set(trips)
    try:
        yield trips
    finally:
        _TRIPS.reset(before)


class NotAppliedError(Exception):
    """`commit_not_applied`: a commit by bare commands was refused, so that its time says nothing."""

    def __init__(self, answer: str) -> None:
        super().__init__(f"a commit on a twin was answered {answer!r}: is somebody else at work on this store?")
        self.code = "commit_not_applied"


Send = Callable[[Sequence[Command]], Awaitable[list[Any]]]
"""Sends commands in one round trip; their answers."""


class Bare:
    """Connections to one store, and nothing else; `prefix`: of the original keys, `twin`: of what is done once more."""

    def __init__(self, url: str, *, prefix: str, twin: str) -> None:
        self._plain, self._redis = Redis.from_url(url), client(url)
        self._prefix, self._twin = f"{prefix}:", f"{twin}:"

    async def close(self) -> None:
        """Close the connections."""
        await self._plain.aclose()
        await self._redis.aclose()

    async def copy(self, case_ids: Sequence[str]) -> None:
        """Make twins of cases as they are now, and of what is read beside them."""
        names = [f"{{{case_id}}}:{part}" for case_id in case_ids for part in PARTS]
        names += ["epoch", "{ledger}:checkpoints"]
        await self.by_pipeline([("COPY", self._prefix + name, self._twin + name, "REPLACE") for name in names])

    def twin_of(self, trips: Trips) -> Trips:
        """The same commands on the twins."""
        return [tuple(tuple(map(self._renamed, command)) for command in trip) for trip in trips]

    async def by_pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """By redis-py as it comes: a pipeline, with a timer for every answer."""
        pipeline = self._plain.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute()
        return answers

    async def by_exchange(self, commands: Sequence[Command]) -> list[Any]:
        """As the service sends them: see `exchange`."""
        return await exchange(self._redis, commands)

    async def replay(self, trips: Trips, send: Send) -> None:
        """Send the commands as they were sent, round trip by round trip.

        Raises:
            NotAppliedError: the script did not do the same again.
        """
        for trip in trips:
            answers = await send(trip)
        done = [text(answer) for command, answer in zip(trip, answers, strict=True) if command[0] == "EVALSHA"]
        if done != ["done"]:
            raise NotAppliedError(" ".join(done))

    def _renamed(self, part: str | bytes | int) -> str | bytes | int:
        if isinstance(part, str) and part.startswith(self._prefix):
            return self._twin + part.removeprefix(self._prefix)
        return part
