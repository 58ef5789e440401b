"""The store contract, over any Redis ≥ 7 or Valkey, embedded or by URL.

A case is one hash, one list of audit entries and some blobs, all under one hash tag. Every transition is decided by a
pure function on a case file, and applied by one script only if the case's audit head is still that file's: hash chain,
compare-and-swap and the store's clock are one mechanism. A store that does not answer, or does not confirm, raises
`StoreUnavailable`: never an assumption.
"""

import asyncio
import random
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Generic, Self, TypeVar
from weakref import WeakValueDictionary

from verify.audit import Event, link
from verify.casefile import CaseFile, changed_fields, decode_file
from verify.connection import Connection, Script, connect, text
from verify.embedded import EmbeddedValkey
from verify.errors import NotFound, StoreBusy, StoreUnavailable, VerifyError
from verify.identifiers import Entropy
from verify.ledger import Ledger

T = TypeVar("T")

CLOCK_TOLERANCE_SECONDS = 2.0
"""Largest difference between the service's clock and the store's at which a replica is ready."""

ATTEMPTS = 12
"""Commits that may meet a conflict before a request gives up. Within a process transitions of a case queue up, so that
only other replicas can interfere."""

REMEMBERED_CASES = 256
"""Decoded case files kept in memory. A head stands for one state, so one that still holds cannot be stale."""

COMMIT = Script.of(files("verify").joinpath("commit.lua").read_text("utf-8"))

BLOB = "blob:"
"""Before the names of blobs, in keys and in what audit entries say was written."""

TOUCH = Script.of("redis.call('SET', KEYS[1], '1') return 'done'")
"""A write that means nothing: once it is confirmed, so is everything before it."""

BUMP_EPOCH = Script.of("""
local epoch = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, tonumber(redis.call('TIME')[1]))
redis.call('SET', KEYS[1], string.format('%d', epoch))
return string.format('%d', epoch)
""")
"""Never below the time: a restored backup cannot come back to an epoch that was in use after it was made."""


class LateError(Exception):
    """The store's clock has passed a change's `not_after`; nothing was applied."""


class Committed(StrEnum):
    """What became of a commit."""

    DONE = "done"
    CONFLICT = "conflict"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[T]):
    """What a transition decided: the case file after it, its audit event, and what the caller gets."""

    after: CaseFile
    event: Event
    value: T
    blobs: Mapping[str, bytes | None] = field(default_factory=dict)
    """Blobs to write; None erases."""
    not_after: float | None = None
    """Unix seconds by the store's clock at which it is too late."""
    refusal: VerifyError | None = None
    """Raised once the change is recorded: a refusal that leaves its trace."""


Transition = Callable[[CaseFile, float], Change[T]]
"""Decides on a case file at a time (Unix seconds, the store's). Pure: it may be called more than once."""


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """One condition of readiness (`store`, `durability`, `clock`): what was found, and how to mend it."""

    name: str
    ok: bool
    detail: str


class Store:
    """One store under one key prefix. Close it, or use it as an async context manager."""

    def __init__(
        self,
        connection: Connection,
        *,
        prefix: str = "heyan",
        embedded: EmbeddedValkey | None = None,
        entropy: Entropy = secrets.token_bytes,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._embedded = embedded
        self._entropy = entropy
        self._jitter = jitter
        self.ledger = Ledger(connection, prefix)
        self._remembered: OrderedDict[str, CaseFile] = OrderedDict()
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; stop an embedded server that nobody else uses."""
        await self._connection.close()
        if self._embedded is not None:
            await self._embedded.close()

    # Cases

    async def create(
        self, file: CaseFile, event: Event, *, at: float, blobs: Mapping[str, bytes | None] | None = None
    ) -> CaseFile:
        """Store a new case, durably; `at` is the time of its first audit entry.

        Raises:
            StoreUnavailable: it may or may not be there; its id was told to nobody.
        """
        change = Change(after=file, event=event, value=None, blobs=blobs or {})
        done, after = await self._commit(None, change, at=at, durable=True)
        if done is not Committed.DONE:
            raise StoreBusy
        return after

    async def load(self, case_id: str) -> tuple[CaseFile, float]:
        """A case at one moment, and that moment by the store's clock. Raises NotFound `case_unknown`."""
        head, time = await self._connection.ask_all(("HGET", self._file(case_id), "head"), ("TIME",))
        known = self._remembered.get(case_id)
        if known is not None and known.head == text(head):
            self._remembered.move_to_end(case_id)
            return known, _seconds(time)
        stored, time = await self._connection.ask_all(("HGETALL", self._file(case_id)), ("TIME",))
        if not stored:
            raise NotFound("case_unknown", "there is no such case, or it belongs to another client")
        return self._remember(decode_file({text(name): content for name, content in stored.items()})), _seconds(time)

    async def transact(self, case_id: str, transition: Transition[T], *, durable: bool = False) -> T:
        """Load a case, decide, commit; anew from the start if somebody else was faster.

        Args:
            case_id: of a case that exists.
            transition: decides, or raises what stands against it; then nothing is written.
            durable: return only when the change is on disk, and on the replicas that are configured.

        Raises:
            NotFound: `case_unknown`.
            LateError: the change's `not_after` has passed.
            StoreUnavailable: no answer or no confirmation; the change may be there, and the request may be repeated.
            StoreBusy: others kept changing the case.
        """
        async with self._queues.setdefault(case_id, asyncio.Lock()):
            for attempt in range(ATTEMPTS):
                file, now = await self.load(case_id)
                change = transition(file, now)
                done, _ = await self._commit(file, change, at=now, durable=durable)
                if done is Committed.DONE:
                    return _outcome(change)
                if done is Committed.LATE:
                    raise LateError
                await asyncio.sleep(self._jitter() * 0.01 * (attempt + 1))
        raise StoreBusy

    async def blob(self, case_id: str, name: str) -> bytes | None:
        """One blob of a case."""
        content: bytes | None = await self._connection.ask("GET", self._blob(case_id, name))
        return content

    async def audit(self, case_id: str) -> tuple[bytes, ...]:
        """All audit entries of a case, oldest first: see `verify.audit.verify_chain`."""
        return tuple(await self._connection.ask("LRANGE", self._audit(case_id), 0, -1))

    async def confirm_durable(self) -> None:
        """Return once everything committed so far is durable, else raise StoreUnavailable."""
        await self._connection.run(TOUCH, [self._key("touch")], [], durable=True)

    # What belongs to no case

    async def epoch(self) -> int:
        """The epoch that verifications and tokens must be of."""
        return int(await self._connection.ask("GET", self._key("epoch")) or 0)

    async def bump_epoch(self) -> int:
        """Begin a new epoch, after a backup was restored: voids every older verification and token."""
        return int(await self._connection.run(BUMP_EPOCH, [self._key("epoch")], [], durable=True))

    async def get_record(self, kind: str, name: str) -> bytes | None:
        """One record of a kind, such as an API key."""
        content: bytes | None = await self._connection.ask("HGET", self._key(kind), name)
        return content

    async def put_record(self, kind: str, name: str, content: bytes) -> None:
        """Write a record."""
        await self._connection.ask("HSET", self._key(kind), name, content)

    async def records(self, kind: str) -> dict[str, bytes]:
        """All records of a kind."""
        stored = await self._connection.ask("HGETALL", self._key(kind))
        return {text(name): content for name, content in stored.items()}

    # Operation

    async def now(self) -> float:
        """The store's clock, Unix seconds."""
        return _seconds(await self._connection.ask("TIME"))

    async def check(self, *, service_now: float) -> str | None:
        """What keeps this store from being relied on and how to mend it; None if nothing does."""
        return next((check.detail for check in await self.checks(service_now=service_now) if not check.ok), None)

    async def checks(self, *, service_now: float) -> tuple[StoreCheck, ...]:
        """Does the store answer, does it keep what it acknowledges, does its clock agree with the service's?"""
        try:
            info = await self._connection.ask("INFO", "server")
            store_now = await self.now()
        except StoreUnavailable as error:
            return (StoreCheck("store", ok=False, detail=str(error)),)
        return (
            StoreCheck("store", ok=True, detail=f"{_version(info)} answers"),
            await self._durability(),
            clock_check(service_now=service_now, store_now=store_now),
        )

    async def _durability(self) -> StoreCheck:
        try:
            await self.confirm_durable()
        except StoreUnavailable as error:
            return StoreCheck("durability", ok=False, detail=str(error))
        return StoreCheck("durability", ok=True, detail="writes are confirmed on disk")

    async def _commit(
        self, before: CaseFile | None, change: Change[T], *, at: float, durable: bool
    ) -> tuple[Committed, CaseFile]:
        """One attempt to apply a change. Repeated by the connection after a lost answer, it is recognised and DONE."""
        head, seq = (before.head, before.entries) if before is not None else ("", 0)
        changed, blobs = changed_fields(before, change.after), change.blobs
        written = {**changed, **{f"{BLOB}{name}": content for name, content in blobs.items()}}
        entry = link(change.event, seq=seq, at=at, head=head, nonce=self._entropy(12).hex(), written=written)
        after = replace(change.after, head=entry.head, entries=seq + 1)
        fields = [part for pair in changed.items() for part in pair]
        case_id = after.case.id
        answer = await self._connection.run(
            COMMIT,
            [self._file(case_id), self._audit(case_id), *(self._blob(case_id, name) for name in blobs)],
            [
                *(head, entry.head, entry.content, int((change.not_after or 0) * 1000), len(fields) // 2),
                *fields,
                *(content or b"" for content in blobs.values()),
            ],
            durable=durable,
            first=self.ledger.mark(case_id, at=at),
        )
        done = Committed(answer)
        return done, self._remember(after) if done is Committed.DONE else after

    def _remember(self, file: CaseFile) -> CaseFile:
        self._remembered[file.case.id] = file
        self._remembered.move_to_end(file.case.id)
        if len(self._remembered) > REMEMBERED_CASES:
            self._remembered.popitem(last=False)
        return file

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _file(self, case_id: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:file"

    def _audit(self, case_id: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:audit"

    def _blob(self, case_id: str, name: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:{BLOB}{name}"


async def open_store(
    url: str | None, data_dir: Path, *, prefix: str = "heyan", durable_replicas: int = 0, supervise: bool = True
) -> Store:
    """The store at `url`; without one the embedded Valkey of the data directory, started if need be.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        data_dir: holds the embedded store, in `store/`.
        prefix: of all keys.
        durable_replicas: replicas that must confirm a durable change.
        supervise: start an embedded server again when it dies, as a service needs it.

    Raises:
        StoreUnavailable: the embedded server cannot be started. A store by URL is first asked when it is needed.
    """
    if url is not None:
        return Store(connect(url, durable_replicas=durable_replicas), prefix=prefix)
    embedded = EmbeddedValkey(data_dir / "store")
    await embedded.start(supervise=supervise)
    return Store(connect(embedded.url, durable_replicas=durable_replicas), prefix=prefix, embedded=embedded)


def clock_check(*, service_now: float, store_now: float) -> StoreCheck:
    """Do service and store agree on the time? Tokens are dated and judged by the store, sessions run by the service."""
    difference = abs(service_now - store_now)
    ok = difference <= CLOCK_TOLERANCE_SECONDS
    advice = "" if ok else "; synchronise the clocks of both machines (NTP)"
    return StoreCheck("clock", ok, f"the clocks of service and store differ by {difference:.1f} s{advice}")


def _outcome(change: Change[T]) -> T:
    if change.refusal is not None:
        raise change.refusal
    return change.value


def _seconds(time: tuple[int, int]) -> float:
    return int(time[0]) + int(time[1]) / 1e6


def _version(info: Mapping[str, object]) -> str:
    valkey = info.get("valkey_version")
    return f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version')}"
