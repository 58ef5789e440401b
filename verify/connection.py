"""Commands and scripts to one Redis or Valkey. Whatever goes wrong between us and it is `StoreUnavailable`.

A durable write is one whose answer waited for `WAITAOF`; a store older than 7.2, which lacks that command, must sync
its append-only file before it answers anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import NoScriptError, RedisError

from verify.errors import StoreUnavailable

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
CONFIRM_MS = 2000
"""How long disks and replicas may take; a write that they have not confirmed by then is not acknowledged."""

WAITAOF_SINCE = (7, 2)


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
    """A pool of connections to one store. `durable_replicas`: how many must confirm, beside the store's own disk."""

    def __init__(self, redis: Redis, *, durable_replicas: int = 0) -> None:
        self._redis = redis
        self._replicas = durable_replicas
        self._has_waitaof: bool | None = None

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def ask(self, *command: str | bytes | int) -> Any:
        """One command. Raises StoreUnavailable."""
        return (await self.ask_all(command))[0]

    async def ask_all(self, *commands: Sequence[str | bytes | int]) -> list[Any]:
        """Several commands in one round trip; an error of one is an error of all. Raises StoreUnavailable."""
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            answers: list[Any] = await pipeline.execute()
        except (RedisError, OSError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        return answers

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Any],
        *,
        durable: bool,
        first: Sequence[str | bytes | int] = (),
    ) -> str:
        """Run a script and, if it must be durable, wait until disks and replicas confirm what it wrote.

        `first`: a command that goes before it over the same connection, and whose answer does not matter.

        Raises:
            StoreUnavailable: no answer or no confirmation. The script may have run.
        """
        wait = durable and await self.has_waitaof()
        answers = await self._send(("EVALSHA", script.sha), keys, arguments, wait=wait, first=first)
        if isinstance(answers[0], NoScriptError):
            answers = await self._send(("EVAL", script.text), keys, arguments, wait=wait, first=first)
        if isinstance(answers[0], Exception):
            raise StoreUnavailable(type(answers[0]).__name__) from answers[0]
        if wait:
            self._require_confirmed(answers[1])
        return text(answers[0])

    async def has_waitaof(self) -> bool:
        """False for an older store that syncs before every answer. Raises StoreUnavailable if it does not."""
        if self._has_waitaof is None:
            version = str((await self.ask("INFO", "server"))["redis_version"])
            has = tuple(int(part) for part in version.split(".")[:2]) >= WAITAOF_SINCE
            if not has:
                await self._require_sync_always()
            self._has_waitaof = has
        return self._has_waitaof

    async def _send(
        self,
        how: tuple[str, str],
        keys: Sequence[str],
        arguments: Sequence[Any],
        *,
        wait: bool,
        first: Sequence[str | bytes | int],
    ) -> list[Any]:
        """Script and WAITAOF over one connection: WAITAOF covers that connection's own writes."""
        pipeline = self._redis.pipeline(transaction=False)
        if first:
            pipeline.execute_command(*first)
        pipeline.execute_command(*how, len(keys), *keys, *arguments)
        if wait:
            pipeline.execute_command("WAITAOF", 1, self._replicas, CONFIRM_MS)
        try:
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        return answers[1:] if first else answers

    def _require_confirmed(self, confirmed: Any) -> None:
        if isinstance(confirmed, Exception):
            raise StoreUnavailable(f"it cannot confirm writes: {confirmed}") from confirmed
        disks, replicas = int(confirmed[0]), int(confirmed[1])
        if disks < 1 or replicas < self._replicas:
            raise StoreUnavailable(f"confirmed by {disks} of 1 disk and {replicas} of {self._replicas} replicas")

    async def _require_sync_always(self) -> None:
        settings = {text(name): text(value) for name, value in (await self.ask("CONFIG GET", "append*")).items()}
        if settings.get("appendonly") != "yes" or settings.get("appendfsync") != "always":
            advice = "a store older than 7.2 must run with appendonly yes and appendfsync always; or upgrade it"
            raise StoreUnavailable(advice)


def connect(
    url: str, *, durable_replicas: int = 0, answer_seconds: float = ANSWER_SECONDS, repeats: int = 3
) -> Connection:
    """A connection that repeats what broke off; everything that goes over it may be repeated."""
    redis = Redis.from_url(
        url,
        socket_timeout=answer_seconds,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), repeats),
    )
    return Connection(redis, durable_replicas=durable_replicas)


def text(value: bytes | str | None) -> str:
    """A value as text; "" for one that is not there."""
    return value.decode("utf-8") if isinstance(value, bytes) else (value or "")
