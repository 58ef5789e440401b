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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, Self, TypeVar
from weakref import WeakValueDictionary

from msgspec import structs

from verify.audit import GENESIS, AuditEntry, Event, link, verify_chain
from verify.casefile import Case, CaseFile, changed_fields, decode_file
from verify.connection import Command, Connection, SameConnection, Script, Watch, text, unwatched
from verify.embedded import EmbeddedValkey
from verify.errors import CaseDamaged, NotFound, StoreBusy, StoreUnavailable, VerifyError
from verify.identifiers import Entropy
from verify.ledger import Ledger
from verify.messages import newly_queued, without_moot
from verify.notices import Notice, decode_notice, encode_notice, notices_between
from verify.store_address import connect_to

T = TypeVar("T")

CLOCK_TOLERANCE_SECONDS = 2.0
"""Largest difference between the service's clock and the store's at which a replica is ready."""

ATTEMPTS = 12
"""Commits that may meet a conflict before a request gives up. Within a process transitions of a case queue up, so that
only other replicas can interfere."""

REMEMBERED_CASES = 256
"""Decoded case files kept in memory. A head stands for one state, so one that still holds cannot be stale."""

KEYS_PAGE = 1000
"""Keys that are looked at in one round trip, where all are looked at."""

COMMIT = Script.of(files("verify").joinpath("commit.lua").read_text("utf-8"))

BLOB = "blob:"
"""Before the names of blobs, in keys and in what audit entries say was written."""

TOUCH = Script.of("redis.call('SET', KEYS[1], '1') return 'done'")
"""A write that means nothing: once it is confirmed, so is everything before it."""

TOUCHED = "touch"
PENDING = "pending"
"""Cases whose notices are to be distributed, by when (ms, with fractions: a mark is told by it from the next)."""
ALL_CLIENTS = "all"
"""In place of a client's id, for the list of everybody's cases."""
DEADLINES = "deadlines"
"""Cases that may be open, by deadline (ms)."""
MESSAGES = "messages"
"""Messages that are queued (`message_mark`), by when they are to be tried next (ms)."""

MARK_SECONDS = 30.0
"""After this time a case whose commit was announced but never confirmed is looked at: its process may have died."""

BUMP_EPOCH = Script.of("""
local epoch = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, tonumber(redis.call('TIME')[1]))
redis.call('SET', KEYS[1], string.format('%d', epoch))
return string.format('%d', epoch)
""")
"""Never below the time: a restored backup cannot come back to an epoch that was in use after it was made."""


ADD_RECORD = Script.of("""
redis.call('HSET', KEYS[1], ARGV[1], redis.call('HGET', KEYS[1], ARGV[1]) or ARGV[2])
return 'done'
""")
"""Writes in any case, so that the confirmation covers what an earlier attempt has left."""
SWAP_RECORD = Script.of("""
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
    return 'conflict'
end
if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 'done'
""")
PUT_RECORD = Script.of("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return 'done'")
ADD_TO_INDEX = Script.of("redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2]) return 'done'")


Check = Callable[[CaseFile, float], None]
"""Objects to a case file at a time by raising."""

_EXPECTED: ContextVar[tuple[str, Check] | None] = ContextVar("expected", default=None)


@contextmanager
def expecting(case_id: str, check: Check) -> Iterator[None]:
    """Within this context the first transition of a case is decided only on a file that passes the check.

    It is judged on the very file that the transition is committed against, for every transition there is or will be.
    """
    before = _EXPECTED.set((case_id, check))
    try:
        yield
    finally:
        _EXPECTED.reset(before)


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

Place = tuple[str, str]
"""Kind and name of a record that belongs to no case."""

Beside = Callable[[CaseFile], Sequence[Place]]
"""The records that a decision on a case file needs beside it."""


def nothing(_: CaseFile) -> Sequence[Place]:
    """The decision needs the case file alone."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a decision looks at: all of it was asked for together, after the decision was."""

    file: CaseFile
    now: float
    """Unix seconds by the store's clock."""
    epoch: int
    newest_checkpoint: str
    """Signed text; "" if there is none yet."""
    records: Mapping[Place, bytes | None]


OnDamage = Callable[[str], object]
"""Told the id of a case whose record cannot be read, by work on many cases, which goes on with the others."""

Decision = Callable[[Seen], Change[T]]
"""Like a transition, on more than the case file. Pure: it may be called more than once."""


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
        """A case at one moment, and that moment by the store's clock. Raises NotFound `case_unknown`, CaseDamaged."""
        file, now, _ = await self._load(case_id)
        return file, now

    async def look(self, case_id: str, *, beside: Beside = nothing) -> Seen:
        """A case with what is decided by it, in one round trip.

        One more if another process has changed the case, or if records are needed of a case that is not remembered.

        Raises:
            NotFound: `case_unknown`. CaseDamaged: its record cannot be read.
        """
        known = self._remembered.get(case_id)
        expected = beside(known) if known is not None else ()
        others = (("GET", self._key("epoch")), self.ledger.newest(), *map(self._record, expected))
        file, now, (epoch, newest, *found) = await self._load(case_id, *others)
        records = dict(zip(expected, found, strict=True))
        lacking = [place for place in beside(file) if place not in records] if file is not known else []
        if lacking:
            answers = await self._connection.ask_all(*map(self._record, lacking))
            records |= zip(lacking, answers, strict=True)
        return Seen(file=file, now=now, epoch=int(epoch or 0), newest_checkpoint=text(newest), records=records)

    async def _load(self, case_id: str, *others: Command) -> tuple[CaseFile, float, list[Any]]:
        """A case at one moment, that moment, and the answers of other commands that went with the question."""
        known, whole = self._remembered.get(case_id), ("HGETALL", self._file(case_id))
        asked = whole if known is None else ("HGET", self._file(case_id), "head")
        found, time, *answers = await self._connection.ask_all(asked, ("TIME",), *others)
        if known is not None and known.head == text(found):
            if case_id in self._remembered:
                self._remembered.move_to_end(case_id)
            return known, _seconds(time), answers
        if known is not None:
            found, time = await self._connection.ask_all(whole, ("TIME",))
        if not found:
            raise NotFound("case_unknown", "there is no such case, or it belongs to another client")
        try:
            file = decode_file({text(name): content for name, content in found.items()})
        except (KeyError, ValueError) as error:
            raise CaseDamaged from error
        return self._remember(file), _seconds(time), answers

    async def transact(self, case_id: str, transition: Transition[T], *, durable: bool = False) -> T:
        """As `decide`, for what is decided on the case file alone."""
        return await self.decide(case_id, lambda seen: transition(seen.file, seen.now), durable=durable)

    async def decide(
        self, case_id: str, decision: Decision[T], *, beside: Beside = nothing, durable: bool = False
    ) -> T:
        """Look at a case, decide, commit; anew from the start if somebody else was faster.

        Args:
            case_id: of a case that exists.
            decision: decides, or raises what stands against it; then nothing is written.
            beside: which records it needs.
            durable: return only when the change is on disk, and on the replicas that are configured.

        Raises:
            NotFound: `case_unknown`. CaseDamaged: its record cannot be read.
            LateError: the change's `not_after` has passed.
            StoreUnavailable: no answer or no confirmation; the change may be there, and the request may be repeated.
            StoreBusy: others kept changing the case.
        """
        async with self._queues.setdefault(case_id, asyncio.Lock()), SameConnection():
            for attempt in range(ATTEMPTS):
                seen = await self.look(case_id, beside=beside)
                _check_expected(seen.file, seen.now)
                change = decision(seen)
                done, _ = await self._commit(seen.file, change, at=seen.now, durable=durable)
                if done is Committed.DONE:
                    _EXPECTED.set(None)
                    return _outcome(change)
                if done is Committed.LATE:
                    raise LateError
                await asyncio.sleep(self._jitter() * 0.01 * (attempt + 1))
        raise StoreBusy

    async def blob(self, case_id: str, name: str) -> bytes | None:
        """One blob of a case."""
        content: bytes | None = await self._connection.ask("GET", self._blob(case_id, name))
        return content

    async def fields(self, places: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """One field of each of these cases' records, in one round trip."""
        commands = [("HGET", self._file(case_id), name) for case_id, name in places]
        return await self._connection.ask_all(*commands) if commands else []

    async def several_fields(self, places: Sequence[tuple[str, Sequence[str]]]) -> list[list[bytes | None]]:
        """Some fields of each of these cases' records, in one round trip."""
        commands = [("HMGET", self._file(case_id), *names) for case_id, names in places]
        return await self._connection.ask_all(*commands) if commands else []

    async def blobs(self, places: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """One blob of each of these cases, in one round trip."""
        return await self._connection.values([self._blob(case_id, name) for case_id, name in places])

    async def audit(self, case_id: str) -> tuple[bytes, ...]:
        """All audit entries of a case, oldest first: see `verify.audit.verify_chain`."""
        return tuple(await self._connection.ask("LRANGE", self._audit(case_id), 0, -1))

    async def entries(self, places: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """One audit entry of each of these chains, by its number."""
        commands = [("LINDEX", self._audit(chain), seq) for chain, seq in places]
        return await self._connection.ask_all(*commands) if commands else []

    async def newest_entries(self, chain: str, *, below: int | None, limit: int) -> tuple[bytes, ...]:
        """Audit entries of a chain, newest first, below a number if one is given."""
        last = -1 if below is None else below - 1
        first = max(0, last - limit + 1) if below is not None else -limit
        found = await self._connection.ask("LRANGE", self._audit(chain), first, last) if below != 0 else []
        return tuple(reversed(found))

    async def append(self, chain: str, event: Event, *, kind: str) -> None:
        """Append an entry to an audit chain that belongs to no case; checkpoints cover it like every other.

        Raises:
            StoreUnavailable: it may or may not be there. StoreBusy: others kept appending.
        """
        async with self._queues.setdefault(chain, asyncio.Lock()):
            for attempt in range(ATTEMPTS):
                seq, head, now = await self._chain(chain)
                if await self._appended(chain, event, kind=kind, seq=seq, head=head, at=now):
                    return
                await asyncio.sleep(self._jitter() * 0.01 * (attempt + 1))
        raise StoreBusy

    async def append_decided(self, chain: str, decide: Callable[[tuple[AuditEntry, ...]], Event], *, mode: str) -> None:
        """Append what is decided on all entries of such a chain, only if it is still the chain that was decided on.

        Args:
            chain: its name.
            decide: the entry's event, or raises what stands against it; then nothing is written. May be asked again.
            mode: of the kind under which the entry can be found.

        Raises:
            AuditChainBrokenError: the chain does not hold. StoreUnavailable, StoreBusy: as `append`.
        """
        async with self._queues.setdefault(chain, asyncio.Lock()):
            for attempt in range(ATTEMPTS):
                entries, head = await self.verified_chain(chain)
                event, now = decide(entries), await self.now()
                kind = f"{mode}:{event.name}"
                if await self._appended(chain, event, kind=kind, seq=len(entries), head=head, at=now):
                    return
                await asyncio.sleep(self._jitter() * 0.01 * (attempt + 1))
        raise StoreBusy

    async def verified_chain(self, chain: str) -> tuple[tuple[AuditEntry, ...], str]:
        """All entries of a chain at one moment, and its head. Raises AuditChainBrokenError."""
        leaf = (await self.ledger.heads((chain,))).get(chain)
        entries, head = (leaf.entries, leaf.head) if leaf else (0, GENESIS)
        contents = (await self.audit(chain))[:entries]  # what came meanwhile stands behind
        return verify_chain(contents, expected_head=head), head

    async def _appended(self, chain: str, event: Event, *, kind: str, seq: int, head: str, at: float) -> bool:
        """One attempt; False if another entry came first."""
        entry = link(event, seq=seq, at=at, head=head, nonce=self._entropy(12).hex())
        answer = await self._connection.run(
            COMMIT,
            [self._file(chain), self._audit(chain), self._notices(chain)],
            [head, entry.head, entry.content, 0, 0, 0],
            durable=True,
            first=self.ledger.announce(chain, kind=kind, seq=seq, at=at),
        )
        return Committed(answer) is Committed.DONE

    async def _chain(self, chain: str) -> tuple[int, str, float]:
        """Number of entries and head of a chain, and the time."""
        leaf = (await self.ledger.heads((chain,))).get(chain)
        return (leaf.entries, leaf.head, await self.now()) if leaf else (0, "", await self.now())

    async def notices(self, case_id: str, *, after: int = 0) -> tuple[Notice, ...]:
        """The notices of a case from number `after` on, oldest first; the first is number 0."""
        return (await self.notices_each([(case_id, after)]))[0]

    async def notices_each(self, places: Sequence[tuple[str, int]]) -> list[tuple[Notice, ...]]:
        """The notices of each of these cases from a number on, in one round trip."""
        commands = [("LRANGE", self._notices(case_id), after, -1) for case_id, after in places]
        return [tuple(map(decode_notice, stored)) for stored in await self._connection.ask_all(*commands)]

    async def listed(self, client_id: str, mode: str, *, below: str | None, limit: int) -> tuple[str, ...]:
        """Entries (`list_entry`) of a client's cases, newest first, below one entry. A case may be missing: see
        `_commit`."""
        start = f"({below}" if below is not None else "+"
        found = await self._connection.ask(
            "ZRANGE", self._listed(client_id, mode), start, "-", "BYLEX", "REV", "LIMIT", 0, limit
        )
        return tuple(text(entry) for entry in found)

    async def confirm_durable(self) -> None:
        """Return once everything committed so far is durable, else raise StoreUnavailable."""
        for key in await self._connection.homes(self._key(TOUCHED)):
            await self._connection.run(TOUCH, [key], [], durable=True)

    async def index(self, kind: str, name: str, case_id: str, *, at: float) -> None:
        """Note, durably, that a case can be found under a name; at a time that orders them. Never forgotten."""
        await self._connection.run(ADD_TO_INDEX, [self._index(kind, name)], [at, case_id], durable=True)

    async def indexed(self, kind: str, name: str, *, most: int) -> tuple[str, ...]:
        """Ids of the cases under a name, newest first. Some may be gone, or found under it no more."""
        found = await self._connection.ask("ZREVRANGE", self._index(kind, name), 0, most - 1)
        return tuple(text(case_id) for case_id in found)

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

    async def put_record(self, kind: str, name: str, content: bytes, *, durable: bool = False) -> None:
        """Write a record; `durable`: return when it is on disk, and on the replicas that are configured."""
        await self._connection.run(PUT_RECORD, [self._key(kind)], [name, content], durable=durable)

    async def add_record(self, kind: str, name: str, content: bytes) -> bytes:
        """Write a record, durably, unless there is one of that name; the content that is stored now."""
        await self._connection.run(ADD_RECORD, [self._key(kind)], [name, content], durable=True)
        return bytes(await self._connection.ask("HGET", self._key(kind), name))

    async def change_record(self, kind: str, name: str, change: Callable[[bytes], bytes | None]) -> bytes | None:
        """Change one record, durably, by what it says at that moment; what is stored then, None if it is gone.

        Args:
            kind: of the record.
            name: its name.
            change: from its content to the new one, None to remove it. May be asked again.

        Raises:
            StoreUnavailable: no answer or no confirmation; it may be repeated. StoreBusy: others kept changing it.
        """
        for attempt in range(ATTEMPTS):
            before = await self.get_record(kind, name)
            if before is None:
                return None
            after = change(before)
            names = [self._key(kind)], [name, before, after or b""]
            if Committed(await self._connection.run(SWAP_RECORD, *names, durable=True)) is Committed.DONE:
                return after
            await asyncio.sleep(self._jitter() * 0.01 * (attempt + 1))
        raise StoreBusy

    async def records(self, kind: str) -> dict[str, bytes]:
        """All records of a kind."""
        stored = await self._connection.ask("HGETALL", self._key(kind))
        return {text(name): content for name, content in stored.items()}

    async def run(
        self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int], *, durable: bool = False
    ) -> str:
        """Run a script on keys of these names. Raises StoreUnavailable; the script may have run."""
        return await self._connection.run(script, [self._key(name) for name in names], arguments, durable=durable)

    async def ask(self, command: str, name: str, *arguments: str | bytes | int) -> Any:
        """One command on the key of this name."""
        return await self._connection.ask(command, self._key(name), *arguments)

    async def ask_each(self, command: str, names: Sequence[str]) -> list[Any]:
        """One command on each of the keys of these names, in one round trip."""
        return await self._connection.ask_all(*((command, self._key(name)) for name in names)) if names else []

    async def keys(self, pattern: str) -> AsyncIterator[str]:
        """Names of all keys that match, some perhaps twice."""
        async for key in self._connection.matching(self._key(pattern), page=KEYS_PAGE):
            yield key.removeprefix(self._key(""))

    async def has_begun(self) -> bool:
        """Whether a service has left anything in it; asking whether it is durable leaves only a trace."""
        async for key in self.keys("*"):
            if not key.startswith(TOUCHED):
                return True
        return False

    async def is_empty(self) -> bool:
        """Whether there is nothing at all in it, of whatever prefix."""
        return not any(await self._connection.everywhere("DBSIZE"))

    # Operation

    def give_up(self, error: StoreUnavailable) -> None:
        """Use this store no more: whatever is asked of it raises this error."""
        self._connection.give_up(error)

    async def now(self) -> float:
        """The store's clock, Unix seconds."""
        return _seconds(await self._connection.ask("TIME"))

    async def process_id(self) -> int:
        """The process of a store on this machine, for whoever tries what its end does."""
        return int((await self._connection.ask("INFO", "server"))["process_id"])

    async def check(self, *, service_now: float) -> str | None:
        """What keeps this store from being relied on and how to mend it; None if nothing does."""
        return next((check.detail for check in await self.checks(service_now=service_now) if not check.ok), None)

    async def checks(self, *, service_now: float) -> tuple[StoreCheck, ...]:
        """Does the store answer, does it keep what it acknowledges, does its clock agree with the service's?"""
        try:
            infos = await self._connection.everywhere("INFO", "server")
            clocks = [_seconds(time) for time in await self._connection.everywhere("TIME")]
        except StoreUnavailable as error:
            return (StoreCheck("store", ok=False, detail=str(error)),)
        return (
            StoreCheck("store", ok=True, detail=f"{' and '.join(sorted(set(map(_version, infos))))} answers"),
            await self._durability(),
            clock_check(service_now=service_now, store_now=max(clocks, key=lambda clock: abs(clock - service_now))),
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
        """One attempt to apply a change. Repeated by the connection after a lost answer, it is recognised and DONE.

        What other keys must know of it (lists of cases, deadlines, notices to be delivered) is marked before, so that
        a process may die at any point and nothing is missed; a mark without a commit is found to mean nothing. After it
        the marks are made exact. All that goes in one round trip, the second marks behind the wait for the disk.
        """
        head, seq = (before.head, before.entries) if before is not None else ("", 0)
        decided = without_moot(change.after)
        changed, blobs = changed_fields(before, decided), change.blobs
        written = {**changed, **{f"{BLOB}{name}": content for name, content in blobs.items()}}
        entry = link(change.event, seq=seq, at=at, head=head, nonce=self._entropy(12).hex(), written=written)
        after = structs.replace(decided, head=entry.head, entries=seq + 1)
        fields = [part for pair in changed.items() for part in pair]
        case_id = after.case.id
        notices = notices_between(before, after, at=at)
        kind = f"{after.case.mode}:{change.event.name}"
        answer = await self._connection.run(
            COMMIT,
            [
                self._file(case_id),
                self._audit(case_id),
                self._notices(case_id),
                *(self._blob(case_id, name) for name in blobs),
            ],
            [
                *(head, entry.head, entry.content, int((change.not_after or 0) * 1000), len(fields) // 2),
                *fields,
                len(notices),
                *(encode_notice(notice) for notice in notices),
                *(content or b"" for content in blobs.values()),
            ],
            durable=durable,
            first=(
                *self._marks(before, after, notices, at=at),
                *self.ledger.announce(case_id, kind=kind, seq=seq, at=at),
            ),
            after=self._exact_marks(before, after, notices, at=at),
        )
        done = Committed(answer)
        return done, self._remember(after) if done is Committed.DONE else after

    def _marks(
        self, before: CaseFile | None, after: CaseFile, notices: tuple[Notice, ...], *, at: float
    ) -> list[Command]:
        """What leads to the commit's consequences, at the latest in a while."""
        case, commands = after.case, list[Command]()
        if before is None:
            commands += [
                ("ZADD", self._listed(client, case.mode), 0, list_entry(case)) for client in (case.client, ALL_CLIENTS)
            ]
        if before is None or before.case.deadline != case.deadline:
            commands.append(("ZADD", self._key(DEADLINES), "LT", _ms(case.deadline) + 1, case.id))
        if notices:
            commands.append(("ZADD", self._key(PENDING), _ms(at + MARK_SECONDS), case.id))
        for each in newly_queued(before, after):
            announced = _ms(max(each.due_at or at, at + MARK_SECONDS))
            commands.append(("ZADD", self._key(MESSAGES), "NX", announced, message_mark(case.id, each.id)))
        return commands

    def _exact_marks(
        self, before: CaseFile | None, after: CaseFile, notices: tuple[Notice, ...], *, at: float
    ) -> list[Command]:
        """Let what a commit has left be worked off at once, or when it is due; without them it is a little later."""
        case_id, commands = after.case.id, list[Command]()
        if notices:
            commands.append(("ZADD", self._key(PENDING), repr(at * 1000), case_id))
        for each in newly_queued(before, after):
            due, mark = _ms(each.due_at or at), message_mark(case_id, each.id)
            commands.append(("ZADD", self._key(MESSAGES), "LT", due, mark))
        return commands

    def _remember(self, file: CaseFile) -> CaseFile:
        self._remembered[file.case.id] = file
        self._remembered.move_to_end(file.case.id)
        if len(self._remembered) > REMEMBERED_CASES:
            self._remembered.popitem(last=False)
        return file

    def _record(self, place: Place) -> Command:
        kind, name = place
        return "HGET", self._key(kind), name

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _index(self, kind: str, name: str) -> str:
        """The name is hashed: it may be long, or not for everybody who sees the keys of a store."""
        return self._key(f"{kind}:{sha256(name.encode()).hexdigest()}")

    def _file(self, case_id: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:file"

    def _audit(self, case_id: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:audit"

    def _notices(self, case_id: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:notices"

    def _listed(self, client_id: str, mode: str) -> str:
        return f"{self._prefix}:cases:{client_id}:{mode}"

    def _blob(self, case_id: str, name: str) -> str:
        return f"{self._prefix}:{{{case_id}}}:{BLOB}{name}"


async def open_store(
    url: str | None,
    data_dir: Path,
    *,
    prefix: str = "heyan",
    durable_replicas: int = 0,
    supervise: bool = True,
    watch: Watch = unwatched,
) -> Store:
    """The store at `url`; without one the embedded Valkey of the data directory, started if need be.

    Args:
        url: as `verify.store_address.connect_to` takes it.
        data_dir: holds the embedded store, in `store/`.
        prefix: of all keys.
        durable_replicas: replicas that must confirm a durable change.
        supervise: start an embedded server again when it dies, as a service needs it.
        watch: entered around each round trip.

    Raises:
        StoreUnavailable: the embedded server cannot be started. A store by URL is first asked when it is needed.
    """
    embedded = None
    if url is None:
        embedded = EmbeddedValkey(data_dir / "store")
        await embedded.start(supervise=supervise)
        url = embedded.url
    connection = connect_to(url, durable_replicas=durable_replicas)
    connection.watch = watch
    return Store(connection, prefix=prefix, embedded=embedded)


def list_entry(case: Case) -> str:
    """A case's place in the list of its client: sorted by text, oldest first."""
    return f"{_ms(case.opened_at):015d}:{case.id}"


def case_of_entry(entry: str) -> str:
    """The case's id in an entry of a list."""
    return entry.partition(":")[2]


def message_mark(case_id: str, message_id: str) -> str:
    """How a message that is queued is named outside of its case."""
    return f"{case_id}:{message_id}"


def clock_check(*, service_now: float, store_now: float) -> StoreCheck:
    """Do service and store agree on the time? Tokens are dated and judged by the store, sessions run by the service."""
    difference = abs(service_now - store_now)
    ok = difference <= CLOCK_TOLERANCE_SECONDS
    advice = "" if ok else "; synchronise the clocks of both machines (NTP)"
    return StoreCheck("clock", ok, f"the clocks of service and store differ by {difference:.1f} s{advice}")


def _check_expected(file: CaseFile, now: float) -> None:
    expected = _EXPECTED.get()
    if expected is not None and expected[0] == file.case.id:
        expected[1](file, now)


def _outcome(change: Change[T]) -> T:
    if change.refusal is not None:
        raise change.refusal
    return change.value


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _seconds(time: tuple[int, int]) -> float:
    return int(time[0]) + int(time[1]) / 1e6


def _version(info: Mapping[str, object]) -> str:
    valkey = info.get("valkey_version")
    return f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version')}"
