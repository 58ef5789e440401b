"""The form of what a store holds, as a number; how it is changed while processes of two versions use one store.

One hash, `schema`, says which forms may be in the store (`oldest` to `newest`) and which processes use it: what each
can read, and which form it writes. A process that cannot read all that may be there does not start. It writes the form
`newest`, which its own version may be ahead of: so an older one beside it goes on reading, until `migrate`.

Audit chains, and the records of cases that they hold to account, are never rewritten: a migration is about what stands
beside them (marks, deliveries, records that belong to no case). The code that reads a case reads every form of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from verify.audit import Event
from verify.connection import Script, text
from verify.errors import Conflict, StoreSchemaMismatch, StoreUnavailable
from verify.operators import OPERATORS_CHAIN
from verify.store import Store

FIRST = 1
"""The form of a store that says nothing: the first one that was counted."""
BEAT_SECONDS = 5.0
"""So often a process says that it is there, and asks which form to write."""
LAPSE_SECONDS = 30.0
"""After so long without that it counts as gone."""

POLL_SECONDS = 0.2

_KEY = "schema"
_PROCESS = "process:"
_AUDITED = "live:store.migrated"

_ENTER = Script.of("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local oldest = tonumber(redis.call('HGET', KEYS[1], 'oldest') or ARGV[4])
local newest = tonumber(redis.call('HGET', KEYS[1], 'newest') or ARGV[4])
if oldest >= tonumber(ARGV[2]) and newest <= tonumber(ARGV[3]) then
    local all = redis.call('HGETALL', KEYS[1])
    for at = 1, #all, 2 do
        local ends = string.match(all[at + 1], '^%d+ %d+ (%d+)$')
        if ends and tonumber(ends) < now then
            redis.call('HDEL', KEYS[1], all[at])
        end
    end
    local writes = ARGV[5] == '' and newest or tonumber(ARGV[5])
    local said = string.format('%d %d %.0f', tonumber(ARGV[3]), writes, now + tonumber(ARGV[6]))
    redis.call('HSET', KEYS[1], 'oldest', oldest, 'newest', newest, ARGV[1], said)
end
return string.format('%d %d', oldest, newest)
""")
"""Says what is there; a process that can read it is noted, and the first one of all writes it down."""

_LEAVE = Script.of("redis.call('HDEL', KEYS[1], ARGV[1]) return 'done'")

_RAISE = Script.of("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local all, behind = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #all, 2 do
    local reads, ends = string.match(all[at + 1], '^(%d+) %d+ (%d+)$')
    if reads and tonumber(ends) >= now and tonumber(reads) < tonumber(ARGV[1]) then
        table.insert(behind, string.sub(all[at], 9))
    end
end
if #behind == 0 then
    redis.call('HSETNX', KEYS[1], 'oldest', ARGV[2])
    if tonumber(redis.call('HGET', KEYS[1], 'newest') or ARGV[2]) < tonumber(ARGV[1]) then
        redis.call('HSET', KEYS[1], 'newest', ARGV[1])
    end
end
return table.concat(behind, ' ')
""")
"""From now on all write the new form, if all can read it; else who cannot."""

_FINISH = Script.of("""
if tonumber(redis.call('HGET', KEYS[1], 'oldest')) < tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'oldest', ARGV[1])
end
return 'done'
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from a form to the next."""

    what: str
    """For people, in a few words."""
    pattern: str
    """Of the keys that it is about, without the store's prefix; `*` stands for anything."""
    convert: Script
    """Run on each of these keys; must leave alone what has the new form already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a version of the service can read: forms from `oldest` to `newest`."""

    oldest: int = FIRST
    migrations: tuple[Migration, ...] = ()
    """All that there ever were: the first leads from form 1 to form 2."""

    @property
    def newest(self) -> int:
        """The form that the last migration leads to."""
        return FIRST + len(self.migrations)


SCHEMA = Schema()
"""Of this version."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that uses the store. `reads`: the newest form that it can read; `writes`: the form that it writes."""

    name: str
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Forms:
    """Which forms may be in a store, and who uses it now."""

    oldest: int
    newest: int
    processes: tuple[Process, ...] = ()

    def __str__(self) -> str:
        """As people are told."""
        return f"form {self.newest}" if self.oldest == self.newest else f"forms {self.oldest} to {self.newest}"


@dataclass(slots=True)
class Presence:
    """One process at one store."""

    store: Store
    schema: Schema
    process: str
    writes: int = FIRST
    """The form to write now."""
    _entered: bool = field(default=False, init=False)

    async def enter(self) -> None:
        """Say that this process is there, and learn which form to write.

        Raises:
            StoreSchemaMismatch: `store_schema_newer`, `store_schema_older`.
        """
        first = self.schema.newest if not self._entered and await self.store.is_empty() else FIRST
        said: int | str = self.writes if self._entered else ""
        name, lapse = f"{_PROCESS}{self.process}", int(LAPSE_SECONDS * 1000)
        given: list[int | str] = [name, self.schema.oldest, self.schema.newest, first, said, lapse]
        oldest, newest = map(int, (await self.store.run(_ENTER, [_KEY], given)).split())
        require_readable(Forms(oldest, newest), self.schema)
        self.writes, self._entered = newest, True

    async def stay(self) -> None:
        """Say so again and again. If the store has become one that this process cannot read, it is not used any more.

        A store that does not answer is asked again.
        """
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self.enter()
            except StoreSchemaMismatch as error:
                self.store.give_up(error)
                return
            except StoreUnavailable:
                continue

    async def leave(self) -> None:
        """Say that it is gone; if the store does not answer, that will be found out."""
        with suppress(StoreUnavailable):
            await self.store.run(_LEAVE, [_KEY], [f"{_PROCESS}{self.process}"])


@asynccontextmanager
async def present(store: Store, *, process: str, schema: Schema = SCHEMA) -> AsyncIterator[Presence]:
    """Use a store under a name of this process's own, without white space.

    Raises:
        StoreSchemaMismatch: `store_schema_newer`, `store_schema_older`. StoreUnavailable.
    """
    presence = Presence(store, schema, process)
    await presence.enter()
    staying = asyncio.create_task(presence.stay(), name="schema")
    try:
        yield presence
    finally:
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
        await presence.leave()


def require_readable(forms: Forms, schema: Schema) -> None:
    """Raises StoreSchemaMismatch."""
    if forms.newest > schema.newest:
        message = (
            f"the store holds form {forms.newest}, and this version of heyan knows forms up to {schema.newest}: "
            "install the version that the store was migrated with, or a later one"
        )
        raise StoreSchemaMismatch("store_schema_newer", message)
    if forms.oldest < schema.oldest:
        message = (
            f"the store holds form {forms.oldest}, and this version of heyan reads forms from {schema.oldest} on: "
            "stop the service, run heyan store migrate, and start it again"
        )
        raise StoreSchemaMismatch("store_schema_older", message)


async def forms_of(store: Store) -> Forms:
    """What is in a store, and who uses it."""
    stored = {text(name): text(value) for name, value in (await store.ask("HGETALL", _KEY)).items()}
    now_ms = (await store.now()) * 1000
    said = {name.removeprefix(_PROCESS): value.split() for name, value in stored.items() if name.startswith(_PROCESS)}
    here = tuple(
        Process(name, int(reads), int(writes)) for name, (reads, writes, until) in said.items() if int(until) >= now_ms
    )
    return Forms(int(stored.get("oldest", FIRST)), int(stored.get("newest", FIRST)), here)


def forms_advice(forms: Forms, schema: Schema = SCHEMA) -> str:
    """What is in a store, what this version reads, and what may be done."""
    reads = f"this version reads {schema.oldest} to {schema.newest}"
    behind = "; heyan store migrate brings it to the newest" if forms.oldest < schema.newest else ""
    return f"{forms} ({reads}); processes that use it: {len(forms.processes)}{behind}"


async def affected(store: Store, schema: Schema = SCHEMA) -> Mapping[Migration, int]:
    """The migrations that a store needs, in order, each with how many keys it is about now.

    Raises:
        StoreSchemaMismatch: `store_schema_newer`.
    """
    forms = await forms_of(store)
    require_readable(forms, Schema(migrations=schema.migrations))
    return {each: len(await _keys(store, each)) for each in schema.migrations[forms.oldest - FIRST :]}


async def migrate(store: Store, *, done: Callable[[], None], schema: Schema = SCHEMA) -> Forms:
    """Bring a store to the newest form. May be repeated at any point, and goes on from where it was.

    First all processes must write the new form; then what was written before is converted, key by key. Each run that
    has something to do is an entry of the operators' chain.

    Args:
        store: may be in use, by processes that can read the new form.
        done: told after each key that was converted.
        schema: what to bring it to.

    Raises:
        StoreSchemaMismatch: `store_schema_newer`. Conflict: `store_readers_older`: some process cannot read the new
            form. StoreUnavailable: repeat it.
    """
    before = await forms_of(store)
    require_readable(before, Schema(migrations=schema.migrations))
    if before.oldest == schema.newest:
        return before
    behind = await store.run(_RAISE, [_KEY], [schema.newest, FIRST], durable=True)
    if behind:
        message = f"these processes cannot read form {schema.newest}: {behind}; stop or update them, and repeat this"
        raise Conflict("store_readers_older", message)
    details = {"from": str(before.oldest), "to": str(schema.newest)}
    await store.append(OPERATORS_CHAIN, Event(name="store.migrated", actor="service", details=details), kind=_AUDITED)
    await _until_all_write(store, schema.newest)
    for to, each in enumerate(schema.migrations[before.oldest - FIRST :], start=before.oldest + 1):
        for key in await _keys(store, each):
            await store.run(each.convert, [key], [])
            done()
        await store.confirm_durable()
        await store.run(_FINISH, [_KEY], [to], durable=True)
    return await forms_of(store)


async def _until_all_write(store: Store, form: int) -> None:
    """A process that dies meanwhile lapses, so that this comes to an end."""
    while any(each.writes < form for each in (await forms_of(store)).processes):  # noqa: ASYNC110 - no event
        await asyncio.sleep(POLL_SECONDS)


async def _keys(store: Store, migration: Migration) -> list[str]:
    return sorted({key async for key in store.keys(migration.pattern)})
