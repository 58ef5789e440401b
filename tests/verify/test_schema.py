"""Forms of a store, on the real embedded one: who may use it, and a made-up migration of real marks of notices."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from registry_office import Office, open_office
from valkey_process import running_cluster

from verify import schema as schemas
from verify.connection import Script, connect
from verify.embedded import EmbeddedValkey
from verify.errors import Conflict, StoreSchemaMismatch
from verify.operators import OPERATORS_CHAIN
from verify.schema import SCHEMA, Migration, Presence, Schema, affected, forms_of, migrate, present
from verify.store import PENDING, Store
from verify.store_address import connect_to

WHOLE = Script.of("""
for _, case in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local mark = tonumber(redis.call('ZSCORE', KEYS[1], case))
    if mark ~= math.floor(mark / 1000) * 1000 then
        redis.call('ZADD', KEYS[1], string.format('%.0f', math.floor(mark / 1000) * 1000), case)
    end
end
return 'done'
""")
SECONDS = Migration(what="marks of notices in whole seconds", pattern=PENDING, convert=WHOLE)
NEXT = Schema(migrations=(SECONDS,))
AFTER_NEXT = Schema(oldest=2, migrations=(SECONDS, SECONDS))


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    server = EmbeddedValkey(tmp_path / "store")
    await server.start(supervise=False)
    yield server.url
    await server.close()


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    async with Store(connect(address)) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes say every moment that they are there."""
    monkeypatch.setattr(schemas, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(schemas, "POLL_SECONDS", 0.01)


async def marked(store: Store, folder: Path) -> Office:
    """An office with three cases, whose notices are not distributed yet."""
    office = await open_office(store, folder)
    for _ in range(3):
        await office.case()
    return office


async def marks(store: Store) -> dict[bytes, float]:
    found = await store.ask("ZRANGE", PENDING, 0, -1, "WITHSCORES")
    return {name: float(mark) for name, mark in found}


def nothing() -> None:
    """Nobody watches."""


async def test_the_first_process_on_an_empty_store_writes_its_own_form(store: Store) -> None:
    async with present(store, process="one", schema=NEXT) as one:
        assert one.writes == 2
    assert (await forms_of(store)).oldest == 2


async def test_a_store_from_before_there_were_numbers_holds_the_first_form(store: Store, tmp_path: Path) -> None:
    await marked(store, tmp_path / "office")
    async with present(store, process="one", schema=NEXT) as one:
        assert one.writes == 1
        forms = await forms_of(store)
        assert [(each.name, each.reads, each.writes) for each in forms.processes] == [("one", 2, 1)]
    assert (await forms_of(store)).processes == ()


async def test_many_that_come_at_once_agree(store: Store) -> None:
    comers = [Presence(store, NEXT, f"process-{number}") for number in range(20)]
    await asyncio.gather(*(each.enter() for each in comers))
    forms = await forms_of(store)
    assert {each.writes for each in comers} == {forms.newest}
    assert len(forms.processes) == 20


async def test_a_newer_store_is_not_used(store: Store) -> None:
    async with present(store, process="new", schema=NEXT):
        pass
    with pytest.raises(StoreSchemaMismatch, match="install the version") as refused:
        async with present(store, process="old", schema=SCHEMA):
            pass
    assert refused.value.code == "store_schema_newer"
    assert (await forms_of(store)).processes == ()


async def test_a_store_that_is_too_old_is_to_be_migrated_first(store: Store, tmp_path: Path) -> None:
    await marked(store, tmp_path / "office")
    with pytest.raises(StoreSchemaMismatch, match="heyan store migrate") as refused:
        async with present(store, process="far ahead", schema=AFTER_NEXT):
            pass
    assert refused.value.code == "store_schema_older"
    assert (await migrate(store, done=nothing, schema=AFTER_NEXT)).oldest == 3
    async with present(store, process="far ahead", schema=AFTER_NEXT) as now:
        assert now.writes == 3


async def test_it_waits_for_an_older_process_to_go(store: Store, tmp_path: Path) -> None:
    await marked(store, tmp_path / "office")
    before = await marks(store)
    async with present(store, process="old:7", schema=SCHEMA):
        with pytest.raises(Conflict, match=r"old:7") as refused:
            await migrate(store, done=nothing, schema=NEXT)
        assert refused.value.code == "store_readers_older"
        assert (await forms_of(store)).newest == 1
        assert await marks(store) == before
    assert (await migrate(store, done=nothing, schema=NEXT)).oldest == 2


@pytest.mark.usefixtures("quick")
async def test_running_processes_write_the_new_form_before_anything_is_converted(
    store: Store, address: str, tmp_path: Path
) -> None:
    office = await marked(store, tmp_path / "office")
    written, over = list[int](), asyncio.Event()

    async def writing(process: Presence) -> None:
        """As a service of the next version would: whole seconds, once that is the form to write."""
        number = 0
        while not over.is_set():
            number += 1
            mark = 1_700_000_000_123.5 if process.writes == 1 else 1_700_000_000_000
            await process.store.ask("ZADD", PENDING, mark, f"case_{process.process}_{number}")
            written.append(process.writes)
            await asyncio.sleep(0.001)

    async with (
        Store(connect(address)) as other,
        present(store, process="one", schema=NEXT) as one,
        present(other, process="two", schema=NEXT) as two,
    ):
        load = asyncio.gather(writing(one), writing(two))
        await asyncio.sleep(0.1)
        assert set(written) == {1}
        forms = await migrate(store, done=nothing, schema=NEXT)
        over.set()
        await load
    assert (forms.oldest, forms.newest) == (2, 2)
    assert set(written) == {1, 2}
    found = await marks(store)
    assert len(found) == len(written) + 3
    assert all(mark % 1000 == 0 for mark in found.values())
    entries, _ = await office.store.verified_chain(OPERATORS_CHAIN)
    assert [(each.event, each.details) for each in entries] == [("store.migrated", {"from": "1", "to": "2"})]


async def test_one_that_broke_off_is_gone_on_with_and_a_second_changes_nothing(store: Store, tmp_path: Path) -> None:
    await marked(store, tmp_path / "office")
    assert await affected(store, NEXT) == {SECONDS: 1}

    def breaking_off() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await migrate(store, done=breaking_off, schema=NEXT)
    between = await forms_of(store)
    assert (between.oldest, between.newest) == (1, 2)
    await migrate(store, done=nothing, schema=NEXT)
    converted, chain = await marks(store), await store.audit(OPERATORS_CHAIN)
    assert await affected(store, NEXT) == {}
    assert await migrate(store, done=breaking_off, schema=NEXT) == await forms_of(store)
    assert (await marks(store), await store.audit(OPERATORS_CHAIN)) == (converted, chain)


@pytest.mark.usefixtures("quick")
async def test_a_process_that_was_away_while_the_store_was_migrated_stops_using_it(
    store: Store, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await marked(store, tmp_path / "office")
    monkeypatch.setattr(schemas, "LAPSE_SECONDS", -1.0)  # it counts as gone at once
    async with Store(connect(address)) as away, present(away, process="away", schema=SCHEMA):
        await migrate(store, done=nothing, schema=NEXT)
        with pytest.raises(StoreSchemaMismatch):
            for _ in range(500):
                await away.put_record("clients", secrets.token_hex(4), b"{}")
                await asyncio.sleep(0.01)
        assert not (await away.checks(service_now=0.0))[0].ok


async def test_a_cluster_is_migrated_too(tmp_path: Path) -> None:
    with ExitStack() as stack:
        address = await asyncio.to_thread(stack.enter_context, running_cluster(tmp_path))
        async with Store(connect_to(address)) as store:
            await store.ask("ZADD", PENDING, 1_700_000_000_123.5, "case_a")
            async with present(store, process="one", schema=SCHEMA) as one:
                assert one.writes == 1
            assert (await migrate(store, done=nothing, schema=NEXT)).oldest == 2
            assert await marks(store) == {b"case_a": 1_700_000_000_000.0}
