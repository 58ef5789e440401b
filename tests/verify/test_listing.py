from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_office import Office, filing

from verify.casefile import Case, CaseState, Rule
from verify.errors import VerifyError
from verify.listing import CaseList
from verify.store import list_entry


async def read_all(office: Office, *, limit: int, state: CaseState | None = None) -> list[str]:
    """Ids of all pages."""
    found, cursor = list[str](), None
    while True:
        page = await CaseList(office.cases).page(office.client, limit=limit, cursor=cursor, state=state)
        assert len(page.views) <= limit
        found += [view.file.case.id for view in page.views]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def opened(office: Office, count: int) -> list[str]:
    """Ids of new cases, newest first."""
    return [(await office.case())[0].case.id for _ in range(count)][::-1]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
async def test_pages_of_any_size_show_everything_once_newest_first(office: Office, limit: int) -> None:
    ids = await opened(office, 5)
    assert await read_all(office, limit=limit) == ids


async def test_a_client_without_cases_has_an_empty_page(office: Office) -> None:
    page = await CaseList(office.cases).page(office.client, limit=10)
    assert (page.views, page.next_cursor) == ((), None)


async def test_cases_opened_between_two_pages_shift_nothing(office: Office) -> None:
    ids = await opened(office, 4)
    first = await CaseList(office.cases).page(office.client, limit=2)
    await opened(office, 3)
    second = await CaseList(office.cases).page(office.client, limit=2, cursor=first.next_cursor)
    assert [view.file.case.id for view in (*first.views, *second.views)] == ids


async def numbered(office: Office, external_id: str) -> str:
    """Id of a new case under a number of the client's own."""
    view = await office.cases.open(office.client, filing(external_id=external_id))
    return view.file.case.id


async def test_cases_under_a_number_come_by_pages_like_all_others(office: Office) -> None:
    ids = [await numbered(office, "2026-1") for _ in range(3)][::-1]
    await numbered(office, "2026-2")
    await office.cases.cancel(office.client, ids[1], "mistake")
    pages = CaseList(office.cases)
    first = await pages.page(office.client, limit=2, external_id="2026-1")
    second = await pages.page(office.client, limit=2, external_id="2026-1", cursor=first.next_cursor)
    assert [view.file.case.id for view in (*first.views, *second.views)] == ids
    assert second.next_cursor is None
    cancelled = await pages.page(office.client, limit=2, external_id="2026-1", state=CaseState.CANCELLED)
    assert ([view.file.case.id for view in cancelled.views], cancelled.next_cursor) == ([ids[1]], None)
    nothing = await pages.page(office.client, limit=2, external_id="2026-3")
    assert (nothing.views, nothing.next_cursor) == ((), None)


async def test_only_cases_in_the_wanted_state_are_shown(office: Office) -> None:
    ids = await opened(office, 5)
    for case_id in ids[::2]:
        await office.cases.cancel(office.client, case_id, "mistake")
    assert await read_all(office, limit=2, state=CaseState.CANCELLED) == ids[::2]
    assert await read_all(office, limit=2, state=CaseState.OPEN) == ids[1::2]
    office.store.advance(31 * 86400)
    assert await read_all(office, limit=2, state=CaseState.EXPIRED) == ids[1::2]


async def test_a_page_that_looks_long_enough_ends_with_a_cursor(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verify.listing.LOOKED_AT", 4)
    await opened(office, 9)
    page = await CaseList(office.cases).page(office.client, limit=2, state=CaseState.COMPLETED)
    assert page.views == ()
    assert page.next_cursor is not None
    assert await read_all(office, limit=2, state=CaseState.COMPLETED) == []


async def test_nobody_sees_the_cases_of_another_client_or_mode(office: Office) -> None:
    await opened(office, 1)
    for stranger in (replace(office.client, id="cli_x"), replace(office.client, mode="test")):
        assert (await CaseList(office.cases).page(stranger, limit=10)).views == ()


async def test_an_entry_without_a_case_is_passed_over(office: Office) -> None:
    ids = await opened(office, 2)
    lost = f"{0:015d}:case_aaaaaaaaaaaaaaaa"
    await office.store.ask("ZADD", f"cases:{office.client.id}:live", 0, lost)
    assert await read_all(office, limit=1) == ids


@pytest.mark.parametrize("cursor", ["", "x", "💣", "AAAA", urlsafe_b64encode(b"[\xff").decode(), "a" * 200])
async def test_what_is_no_cursor_is_refused(office: Office, cursor: str) -> None:
    with pytest.raises(VerifyError) as refusal:
        await CaseList(office.cases).page(office.client, limit=10, cursor=cursor)
    assert refusal.value.code == "cursor_invalid"


@given(st.lists(st.integers(0, 4 * 10**9), min_size=2, max_size=2))
@settings(max_examples=200)
def test_entries_are_sorted_by_time_as_text(times: list[int]) -> None:
    entries = [list_entry(_case(float(time))) for time in times]
    assert (entries[0] < entries[1]) == (times[0] < times[1])


def _case(opened_at: float) -> Case:
    return Case(
        id="case_aaaaaaaaaaaaaaaa",
        client="cli_1",
        client_name="window",
        mode="live",
        action="capital.increase",
        document_sha256="0" * 64,
        external_id=None,
        rule=Rule(),
        roster_version=1,
        state=CaseState.OPEN,
        reason=None,
        opened_at=opened_at,
        deadline=opened_at + 1,
        wrapped_key=b"",
    )
