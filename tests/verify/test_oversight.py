"""What operators see: cases of everybody and entries of the audit, page by page, without a scan over all cases."""

import json
from itertools import pairwise
from pathlib import Path
from re import findall

import pytest
from registry_office import Office, filing

from verify.auditing import check_chain, check_newest
from verify.casefile import CaseFile, CaseState
from verify.errors import VerifyError
from verify.jose import VerifyingKey, read_key_set
from verify.operators import OPERATORS_CHAIN
from verify.oversight import CASE_EVENTS, EVENTS, OPERATOR_EVENTS, Oversight, SeenEntries

SOURCE = Path(__file__).parents[2] / "verify"
ALWAYS = {"since": 0.0, "before": 9e9}


@pytest.fixture
def oversight(office: Office) -> Oversight:
    return Oversight(office.store)


def keys_of(office: Office) -> tuple[VerifyingKey, ...]:
    return read_key_set(json.dumps(office.tokens.jwks()).encode())


def seen(page: SeenEntries) -> list[tuple[str, int]]:
    return [(each.entry.event, each.entry.seq) for each in page.entries]


def test_every_event_of_the_code_can_be_searched_for() -> None:
    written = "".join(path.read_text("utf-8") for path in SOURCE.glob("*.py") if path.name != "oversight.py")
    families = {event.split(".")[0] for event in CASE_EVENTS}
    found = {
        name
        for name in findall(r'"([a-z]+\.[a-z_]+)"', written)
        if f'event="{name}"' in written or f'name="{name}"' in written
    }
    assert {name for name in found if name.split(".")[0] in families} <= set(EVENTS)
    assert [event for event in CASE_EVENTS if f'"{event}"' not in written] == []
    assert not set(CASE_EVENTS) & set(OPERATOR_EVENTS)


async def test_cases_of_all_clients_come_newest_first_page_by_page(office: Office, oversight: Oversight) -> None:
    other, _ = await office.clients.create("window 2", mode="live")
    tester, _ = await office.clients.create("tester", mode="test")
    opened = []
    for number, client in enumerate((office.client, other, office.client, other, tester)):
        office.store.advance(number)
        opened.append((await office.cases.open(client, filing())).file.case.id)
    shown, cursor = list[str](), None
    while True:
        page = await oversight.cases(mode="live", limit=3, cursor=cursor)
        shown += [case.id for case, _ in page.cases]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert shown == opened[3::-1]
    assert [case.id for case, _ in (await oversight.cases(mode="test", limit=3)).cases] == opened[4:]


async def test_cases_are_found_by_the_state_that_they_are_in_now(office: Office, oversight: Oversight) -> None:
    files = [(await office.case())[0] for _ in range(4)]
    await office.cases.cancel(office.client, files[1].case.id, "withdrawn")
    page = await oversight.cases(mode="live", limit=10, state=CaseState.CANCELLED)
    assert [case.id for case, _ in page.cases] == [files[1].case.id]
    office.store.advance(31 * 86400)
    expired = await oversight.cases(mode="live", limit=2, state=CaseState.EXPIRED)
    rest = await oversight.cases(mode="live", limit=2, state=CaseState.EXPIRED, cursor=expired.next_cursor)
    assert {case.id for case, _ in (*expired.cases, *rest.cases)} == {files[n].case.id for n in (0, 2, 3)}
    assert {state for _, state in (*expired.cases, *rest.cases)} == {CaseState.EXPIRED}


async def test_an_entry_of_a_case_that_was_never_created_is_passed_over(office: Office, oversight: Oversight) -> None:
    file, _ = await office.case()
    await office.store.ask("ZADD", "cases:all:live", 0, "999999999999999:case_aaaaaaaaaaaaaaaa")
    page = await oversight.cases(mode="live", limit=5)
    assert [case.id for case, _ in page.cases] == [file.case.id]


async def test_the_store_counts_itself(office: Office, oversight: Oversight) -> None:
    cancelled, _ = await office.case()
    await office.case()
    await office.case()
    await office.cases.cancel(office.client, cancelled.case.id, "withdrawn")
    await office.erasures.keep_clock(await office.store.ledger.marked(limit=10))
    await office.checkpoints.advance()
    size = await oversight.size()
    assert (size.open_cases, size.all_cases, size.checkpoints, size.stored_faces) == (2, 3, 1, 3)
    office.store.advance(31 * 86400)
    assert (await oversight.size()).open_cases == 0


async def verified(office: Office) -> CaseFile:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    return await office.file(file.case.id)


async def test_entries_are_counted_by_kind_and_time(office: Office, oversight: Oversight) -> None:
    await verified(office)
    now = await office.store.now()
    counts = await oversight.happened(mode="live", since=now - 3600)
    assert (counts["case.opened"], counts["session.finished"], counts["token.redeemed"]) == (1, 1, 0)
    assert set((await oversight.happened(mode="live", since=now + 1)).values()) == {0}
    assert set((await oversight.happened(mode="test", since=0)).values()) == {0}


async def test_entries_of_all_cases_are_found_by_kind_newest_first(office: Office, oversight: Oversight) -> None:
    first, second = await verified(office), await verified(office)
    found = await oversight.search(mode="live", events=("case.opened", "session.finished"), **ALWAYS, limit=50)
    assert [(each.chain, each.entry.event) for each in found.entries] == [
        (second.case.id, "session.finished"),
        (second.case.id, "case.opened"),
        (first.case.id, "session.finished"),
        (first.case.id, "case.opened"),
    ]
    assert found.next_cursor is None


@pytest.mark.parametrize("of_one_case", [False, True])
async def test_pages_of_a_search_join_without_a_gap(office: Office, oversight: Oversight, of_one_case: bool) -> None:
    files = [await verified(office) for _ in range(3)]
    case_id = files[1].case.id if of_one_case else None
    options = {"mode": "live", "events": EVENTS, **ALWAYS, "chain": case_id}
    whole = (await oversight.search(**options, limit=200)).entries
    pages, cursor = [], None
    while True:
        page = await oversight.search(**options, limit=2, cursor=cursor)
        pages += page.entries
        cursor = page.next_cursor
        if cursor is None:
            break
    assert tuple(pages) == whole
    assert len(whole) == (files[1].entries if of_one_case else sum(file.entries for file in files))
    assert all(int(later.entry.at * 1000) >= int(earlier.entry.at * 1000) for later, earlier in pairwise(whole))


@pytest.mark.parametrize("of_one_case", [False, True])
async def test_a_search_keeps_to_its_time(office: Office, oversight: Oversight, of_one_case: bool) -> None:
    file = await verified(office)
    office.store.advance(3600)
    now = await office.store.now()
    case_id = file.case.id if of_one_case else None
    options = {"mode": "live", "events": EVENTS, "chain": case_id, "limit": 50}
    assert (await oversight.search(**options, since=now - 60, before=now + 60)).entries == ()
    assert len((await oversight.search(**options, since=now - 7200, before=now)).entries) == file.entries
    assert (await oversight.search(**options, since=0, before=now - 7200)).entries == ()


async def test_an_entry_that_was_announced_and_never_made_is_not_shown(office: Office, oversight: Oversight) -> None:
    file = await verified(office)
    ghosts = (
        office.store.ledger.announce(file.case.id, kind="live:token.redeemed", seq=1, at=await office.store.now()),
        office.store.ledger.announce(file.case.id, kind="live:token.redeemed", seq=999, at=await office.store.now()),
    )
    for commands in ghosts:
        await office.store._connection.ask_all(*commands)
    found = await oversight.search(mode="live", events=("token.redeemed",), **ALWAYS, limit=50)
    assert found.entries == ()


async def test_the_timeline_of_a_case_goes_back_page_by_page(office: Office, oversight: Oversight) -> None:
    file = await verified(office)
    first = await oversight.chain(file.case.id, limit=3)
    assert [seq for _, seq in seen(first)] == [file.entries - 1, file.entries - 2, file.entries - 3]
    rest = await oversight.chain(file.case.id, below=int(first.next_cursor or ""), limit=100)
    assert [seq for _, seq in seen(rest)] == list(range(file.entries - 4, -1, -1))
    assert rest.next_cursor is None
    assert (await oversight.chain(file.case.id, below=0, limit=3)).entries == ()
    assert (await oversight.chain(OPERATORS_CHAIN, limit=3)).entries == ()


@pytest.mark.parametrize("cursor", ["", "x", "000000000000000:case_x", "0" * 15 + ":case_aaaaaaaaaaaaaaaa\n"])
async def test_a_made_up_cursor_is_refused(oversight: Oversight, cursor: str) -> None:
    for work in (
        oversight.cases(mode="live", limit=1, cursor=cursor),
        oversight.search(mode="live", events=EVENTS, **ALWAYS, cursor=cursor, limit=1),
    ):
        with pytest.raises(VerifyError) as caught:
            await work
        assert caught.value.code == "cursor_invalid"


async def test_one_case_says_how_far_it_is_covered(office: Office, oversight: Oversight) -> None:
    file, (subject,) = await office.case()
    assert (await oversight.case(file.case.id)).covered == 0
    await office.checkpoints.advance()
    await office.invite(file, subject)
    case = await oversight.case(file.case.id)
    assert (case.covered, case.view.file.entries) == (1, 2)
    checked = await check_chain(office.store, file.case.id)
    assert (checked.findings, checked.entries, checked.covered) == ([], 2, 1)


async def test_a_chain_that_was_tampered_with_is_found_alone(office: Office) -> None:
    file = await verified(office)
    await office.store._connection.ask("LSET", office.store._audit(file.case.id), 1, "{}")
    office.store._remembered.clear()
    checked = await check_chain(office.store, file.case.id)
    assert [finding.code for finding in checked.findings] == ["entry_changed"]


async def grown_log(office: Office, checkpoints: int) -> None:
    for _ in range(checkpoints):
        await office.case()
        await office.checkpoints.advance()


@pytest.mark.parametrize("most", [1, 2, 100])
async def test_an_honest_end_of_the_log_is_found_good(office: Office, most: int) -> None:
    assert await check_newest(office.store, expected_keys=keys_of(office), most=most) == []
    await grown_log(office, 3)
    assert await check_newest(office.store, expected_keys=keys_of(office), most=most) == []


async def test_each_harm_to_the_end_of_the_log_is_found(office: Office) -> None:
    await grown_log(office, 3)
    keys, key = keys_of(office), f"{office.store._prefix}:{{ledger}}:"
    texts = await office.store.ledger.checkpoints(after=0, limit=3)

    async def codes() -> list[str]:
        return [finding.code for finding in await check_newest(office.store, expected_keys=keys, most=100)]

    await office.store._connection.ask("LSET", f"{key}checkpoints", 1, texts[0])
    assert await codes() == ["checkpoint_out_of_line", "checkpoint_out_of_line"]
    await office.store._connection.ask("LSET", f"{key}checkpoints", 1, "a.b.c")
    assert await codes() == ["checkpoint_invalid"]
    await office.store._connection.ask("LSET", f"{key}checkpoints", 1, texts[1])
    await office.store._connection.ask("HSET", f"{key}nodes", "1:0", b"x" * 32)
    assert await codes() == ["leaf_changed"]


async def test_a_case_whose_record_cannot_be_read_says_so(office: Office, oversight: Oversight) -> None:
    file = await verified(office)
    await office.damage(file.case.id)
    with pytest.raises(VerifyError) as caught:
        await oversight.case(file.case.id)
    assert caught.value.code == "case_damaged"
    assert [finding.code for finding in (await check_chain(office.store, file.case.id)).findings] == ["case_changed"]
