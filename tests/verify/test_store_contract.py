"""The store contract, the same for every backend; each test runs under a key prefix of its own."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from registry_office import DOCUMENT
from valkey_process import VALKEY, running_cluster

from benchmarks.store_servers import running_server
from verify.audit import Event, verify_chain
from verify.casefile import Case, CaseFile, CaseState, Rule
from verify.errors import NotFound, Refused, StoreBusy, StoreUnavailable
from verify.store import Beside, Change, LateError, Seen, Store, expecting, list_entry, nothing
from verify.store_address import connect_to

HAPPENED = Event(name="tested", actor="service", details={"ids": ("a", "b")})


@pytest.fixture(scope="module", params=["embedded", "url", "redis-server", "cluster", "redis-server cluster"])
def backend_url(
    request: pytest.FixtureRequest, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    if request.param == "embedded":
        yield valkey_url
        return
    binary = shutil.which("redis-server") if request.param.startswith("redis-server") else VALKEY
    if binary is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    if request.param.endswith("cluster"):
        with running_cluster(folder, binary=binary) as url:
            yield url
        return
    with running_server(folder, binary=binary) as server:
        yield server.url


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
async def store(backend_url: str, prefix: str) -> AsyncIterator[Store]:
    async with Store(connect_to(backend_url), prefix=prefix) as opened:
        yield opened


@pytest.fixture
async def replica(backend_url: str, prefix: str) -> AsyncIterator[Store]:
    """The store as another process of the service sees it."""
    async with Store(connect_to(backend_url), prefix=prefix) as opened:
        yield opened


def case(identifier: str = "case_aaaaaaaaaaaaaaaa") -> Case:
    return Case(
        id=identifier,
        client="cli_1",
        client_name="window",
        mode="live",
        action="capital.increase",
        document_sha256=DOCUMENT,
        external_id="核验 1",
        rule=Rule(),
        roster_version=1,
        state=CaseState.OPEN,
        reason=None,
        opened_at=1.0,
        deadline=2.0,
        wrapped_key=b"\x00\xff",
    )


async def created(store: Store) -> CaseFile:
    return await store.create(CaseFile(case=case()), HAPPENED, at=1.0, blobs={"portrait": b"\x00\x01"})


def set_reason(reason: str, **changes: object) -> "object":
    def transition(file: CaseFile, _: float) -> Change[str]:
        after = file.with_(replace(file.case, reason=reason))
        return replace(Change(after=after, event=HAPPENED, value=reason), **changes)

    return transition


async def test_a_created_case_is_read_back_by_every_replica(store: Store, replica: Store) -> None:
    file = await created(store)
    found, now = await replica.load(file.case.id)
    assert found == file
    assert (found.entries, len(found.head)) == (1, 64)
    assert abs(now - await replica.now()) < 1.0
    assert await replica.blob(file.case.id, "portrait") == b"\x00\x01"


async def test_an_unknown_case_is_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(NotFound) as refusal:
        await store.load("case_bbbbbbbbbbbbbbbb")
    assert refusal.value.code == "case_unknown"


async def test_a_case_is_created_once(store: Store) -> None:
    await created(store)
    with pytest.raises(StoreBusy):
        await created(store)


@pytest.mark.parametrize("durable", [False, True])
async def test_a_transition_changes_fields_and_blobs_and_appends_its_entry(store: Store, durable: bool) -> None:
    file = await created(store)
    transition = set_reason("done", blobs={"portrait": None, "template": b"t"})
    assert await store.transact(file.case.id, transition, durable=durable) == "done"
    after, _ = await store.load(file.case.id)
    assert (after.case.reason, after.entries) == ("done", 2)
    assert await store.blob(file.case.id, "portrait") is None
    assert await store.blob(file.case.id, "template") == b"t"
    entries = verify_chain(await store.audit(file.case.id), expected_head=after.head)
    assert [entry.seq for entry in entries] == [0, 1]


async def test_a_transition_that_objects_writes_nothing(store: Store) -> None:
    file = await created(store)

    def objecting(_file: CaseFile, _now: float) -> Change[None]:
        raise Refused("grant_invalid", "no")

    with pytest.raises(Refused):
        await store.transact(file.case.id, objecting)
    assert (await store.load(file.case.id))[0] == file


async def test_a_recorded_refusal_is_raised_and_leaves_its_entry(store: Store) -> None:
    file = await created(store)
    refusal = Refused("restated_field_mismatch", "no", fields=("action",))
    with pytest.raises(Refused) as raised:
        await store.transact(file.case.id, set_reason("seen", refusal=refusal))
    assert raised.value is refusal
    assert (await store.load(file.case.id))[0].entries == 2


async def test_lateness_is_judged_by_the_clock_of_the_store(store: Store) -> None:
    file = await created(store)
    with pytest.raises(LateError):
        await store.transact(file.case.id, set_reason("late", not_after=await store.now()))
    assert (await store.load(file.case.id))[0] == file
    await store.transact(file.case.id, set_reason("in time", not_after=await store.now() + 60))


async def test_replicas_that_collide_decide_anew_on_what_is_there(store: Store, replica: Store) -> None:
    file = await created(store)

    def counting(found: CaseFile, _: float) -> Change[int]:
        count = found.case.roster_version + 1
        return Change(after=found.with_(replace(found.case, roster_version=count)), event=HAPPENED, value=count)

    both = (store, replica)
    counts = await asyncio.gather(*(both[turn % 2].transact(file.case.id, counting) for turn in range(40)))
    assert sorted(counts) == list(range(2, 42))
    after, _ = await store.load(file.case.id)
    assert after.case.roster_version == 41
    assert len(verify_chain(await store.audit(file.case.id), expected_head=after.head)) == 41


async def test_a_case_that_others_keep_changing_is_given_up_as_busy(
    store: Store, backend_url: str, prefix: str
) -> None:
    file = await created(store)

    class Overtaken(Store):
        """Somebody else is always faster between its reading and its commit."""

        async def look(self, case_id: str, *, beside: Beside = nothing) -> Seen:
            seen = await super().look(case_id, beside=beside)
            await store.transact(case_id, set_reason(secrets.token_hex(4)))
            return seen

    async with Overtaken(connect_to(backend_url), prefix=prefix, jitter=lambda: 0.0) as overtaken:
        with pytest.raises(StoreBusy) as busy:
            await overtaken.transact(file.case.id, set_reason("never"))
    assert (busy.value.code, busy.value.retry_after) == ("store_busy", 1.0)


async def test_a_commit_that_is_repeated_after_a_lost_answer_counts_once(
    store: Store, backend_url: str, prefix: str
) -> None:
    file = await created(store)

    class Deaf(type(connect_to(backend_url))):
        """Runs every script twice, as a connection does that lost the first answer."""

        async def run(self, *arguments: object, **options: object) -> str:
            await super().run(*arguments, **options)
            return await super().run(*arguments, **options)

    deaf = connect_to(backend_url)
    deaf.__class__ = Deaf
    async with Store(deaf, prefix=prefix) as repeating:
        assert await repeating.transact(file.case.id, set_reason("once"), durable=True) == "once"
    after, _ = await store.load(file.case.id)
    assert after.entries == 2
    verify_chain(await store.audit(file.case.id), expected_head=after.head)


async def test_a_stale_memory_is_noticed(store: Store, replica: Store) -> None:
    file = await created(store)
    await store.load(file.case.id)
    await replica.transact(file.case.id, set_reason("elsewhere"))
    assert (await store.load(file.case.id))[0].case.reason == "elsewhere"


async def test_a_record_is_added_once(store: Store, replica: Store) -> None:
    first = await asyncio.gather(
        *(each.add_record("kind", "one", b"%d" % n) for n, each in enumerate((store, replica)))
    )
    assert first[0] == first[1] == await store.get_record("kind", "one")
    assert await store.add_record("kind", "one", b"\xff") == first[0]


async def test_cases_are_indexed_under_any_name_newest_first(store: Store, replica: Store) -> None:
    for at, case_id in ((1.5, "case_b"), (3.0, "case_c"), (1.25, "case_a"), (3.0, "case_c")):
        await store.index("external", "核验 1 {x}", case_id, at=at)
    assert await replica.indexed("external", "核验 1 {x}", most=9) == ("case_c", "case_b", "case_a")
    assert await replica.indexed("external", "核验 1 {x}", most=1) == ("case_c",)
    assert await replica.indexed("external", "核验 1", most=9) == ()


async def test_records_are_kept_by_kind_and_name(store: Store) -> None:
    assert await store.get_record("keys", "one") is None
    await store.put_record("keys", "one", b"\x00")
    await store.put_record("others", "one", b"1")
    assert await store.get_record("keys", "one") == b"\x00"
    assert await store.records("keys") == {"one": b"\x00"}


async def test_an_epoch_never_comes_back(store: Store) -> None:
    assert await store.epoch() == 0
    first = await store.bump_epoch()
    second = await store.bump_epoch()
    assert int(await store.now()) - 1 <= first < second == await store.epoch()


async def test_a_good_store_is_ready(store: Store) -> None:
    now = await store.now()
    assert [(check.name, check.ok) for check in await store.checks(service_now=now)] == [
        ("store", True),
        ("durability", True),
        ("clock", True),
    ]
    assert await store.check(service_now=now) is None


@pytest.mark.parametrize("difference", [-3.0, 3.0])
async def test_clocks_that_disagree_are_a_fault(store: Store, difference: float) -> None:
    fault = await store.check(service_now=await store.now() + difference)
    assert fault is not None
    assert "NTP" in fault


async def test_scripts_that_the_store_forgot_are_sent_again(store: Store, backend_url: str) -> None:
    file = await created(store)
    connection = connect_to(backend_url)
    await connection.everywhere("SCRIPT FLUSH")
    await connection.close()
    assert await store.transact(file.case.id, set_reason("again")) == "again"


async def test_a_wrong_password_is_no_store(backend_url: str, tmp_path: Path) -> None:
    if backend_url.startswith("unix"):
        pytest.skip("the embedded store is guarded by the permissions of its socket")
    scheme, host = backend_url.split("://", maxsplit=1)[0], backend_url.split("@")[1]
    async with Store(connect_to(f"{scheme}://:wrong@{host}")) as locked:
        with pytest.raises(StoreUnavailable):
            await locked.epoch()


async def test_a_commit_keeps_what_it_tells_with_the_case(store: Store, replica: Store) -> None:
    file = await created(store)

    def cancel(before: CaseFile, _: float) -> Change[None]:
        after = before.with_(replace(before.case, state=CaseState.CANCELLED, reason="mistake"))
        return Change(after=after, event=HAPPENED, value=None)

    await store.transact(file.case.id, cancel)
    told = await replica.notices(file.case.id)
    assert [notice.type for notice in told] == ["case.opened", "case.cancelled"]
    assert await replica.notices(file.case.id, after=1) == told[1:]
    assert await replica.listed("cli_1", "live", below=None, limit=5) == (list_entry(file.case),)
    assert await replica.ask("ZSCORE", "pending", file.case.id) is not None
    assert await replica.ask("ZSCORE", "deadlines", file.case.id) == file.case.deadline * 1000 + 1


async def test_an_expectation_is_judged_on_the_file_that_is_committed_against(store: Store, replica: Store) -> None:
    file = await created(store)
    seen: list[str] = []

    def as_it_was(found: CaseFile, _: float) -> None:
        seen.append(found.head)
        if found.head != file.head:
            raise Refused("changed", "it has changed")

    with expecting(file.case.id, as_it_was):
        await store.transact(file.case.id, set_reason("first"))
        await store.transact(file.case.id, set_reason("second"))
    assert seen == [file.head]
    with expecting(file.case.id, as_it_was), pytest.raises(Refused):
        await replica.transact(file.case.id, set_reason("third"))
    assert (await store.load(file.case.id))[0].case.reason == "second"


async def test_a_decision_on_a_chain_is_made_on_all_that_is_there(store: Store, replica: Store) -> None:
    async def append(by: Store, name: str) -> None:
        await by.append_decided(
            "chain", lambda entries: Event(name=name, actor="service", details={"n": str(len(entries))}), mode="live"
        )

    await asyncio.gather(*(append(by, name) for name in ("one", "two", "three") for by in (store, replica)))
    entries, head = await replica.verified_chain("chain")
    assert [entry.details["n"] for entry in entries] == [str(number) for number in range(6)]
    assert (await store.verified_chain("chain"))[1] == head
    places = await store.ledger.places(
        ["live:one"], since_ms=0, before_ms=int(await store.now() * 1000) + 1000, below=None, limit=9
    )
    assert {(place.case, entries[place.seq].event) for place in places} >= {("chain", "one")}


async def test_a_decision_that_objects_appends_nothing(store: Store) -> None:
    def object_to(_: object) -> Event:
        raise NotFound("case_unknown", "nothing to decide on")

    with pytest.raises(NotFound):
        await store.append_decided("chain", object_to, mode="live")
    assert await store.verified_chain("chain") == ((), "")


async def test_several_cases_are_looked_into_at_once(store: Store) -> None:
    file = await created(store)
    ids = (file.case.id, "case_bbbbbbbbbbbbbbbb", "case_cccccccccccccccc")
    assert await store.blobs([(case_id, "portrait") for case_id in ids]) == [b"\x00\x01", None, None]
    found = await store.several_fields([(case_id, ("case", "subject:none")) for case_id in ids])
    assert [(case is not None, subject) for case, subject in found] == [(True, None), (False, None), (False, None)]
    assert (await store.blobs([]), await store.several_fields([])) == ([], [])
