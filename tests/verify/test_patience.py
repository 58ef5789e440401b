import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_office import CONVINCING, IMPOSTOR, ClockedStore, Office

from verify.errors import Gone, Invalid, Limited
from verify.patience import (
    FIRST_DELAY_SECONDS,
    FORGOTTEN_SECONDS,
    FREE_ATTEMPTS,
    LONGEST_DELAY_SECONDS,
    Patience,
    delay_after,
)

PHONE = "a-random-name-of-a-phone-01"


@given(count=st.integers(0, 2000))
def test_delays_begin_after_five_grow_and_end_at_an_hour(count: int) -> None:
    delay = delay_after(count)
    assert (delay == 0) == (count < FREE_ATTEMPTS)
    assert delay <= delay_after(count + 1) <= LONGEST_DELAY_SECONDS
    if delay:
        assert delay >= FIRST_DELAY_SECONDS == 30


async def test_the_script_delays_as_the_formula_says(clocked_store: ClockedStore) -> None:
    patience, now = Patience(clocked_store), 1_000.0
    for count in range(FREE_ATTEMPTS + 10):
        delay = delay_after(count)
        if delay:
            with pytest.raises(Limited) as early:
                await patience.begin("somebody", now=now + delay - 0.5)
            assert early.value.retry_after == pytest.approx(0.5)
        now += delay
        await patience.begin("somebody", now=now)
    await patience.begin("somebody else", now=now)


async def test_attempts_side_by_side_are_counted_one_by_one(clocked_store: ClockedStore) -> None:
    patience = Patience(clocked_store)
    tried = await asyncio.gather(*(patience.begin("somebody", now=1_000.0) for _ in range(20)), return_exceptions=True)
    assert sum(each is None for each in tried) == FREE_ATTEMPTS
    assert {type(each) for each in tried if each is not None} == {Limited}


async def test_counters_are_forgotten_after_a_day_and_by_being_accepted(clocked_store: ClockedStore) -> None:
    patience = Patience(clocked_store)
    for _ in range(FREE_ATTEMPTS):
        await patience.begin("somebody", now=1_000.0)
    left = await clocked_store.ask("TTL", "patience:person:somebody")
    assert FORGOTTEN_SECONDS - 60 < left <= FORGOTTEN_SECONDS
    await patience.accepted("somebody")
    await patience.begin("somebody", now=1_000.0)


async def test_a_person_waits_across_links_and_cases_and_loses_no_attempt(office: Office) -> None:
    file, (subject,) = await office.case()
    other, (same_person,) = await office.case()
    for _ in range(2):
        grant = await office.grant(file, subject)
        for _ in range(2):
            await office.sessions.open(grant.secret)
    grant = await office.grant(other, same_person)
    await office.sessions.open(grant.secret)
    with pytest.raises(Limited) as delayed:
        await office.sessions.open(grant.secret)
    assert (delayed.value.code, 0 < delayed.value.retry_after <= 30) == ("attempts_too_fast", True)
    office.store.advance(31.0)
    assert (await office.sessions.open(grant.secret)).attempts_left == 1


async def test_a_bad_grant_counts_for_nobody(office: Office) -> None:
    file, (subject,) = await office.case()
    grant = await office.grant(file, subject)
    for _ in range(3):
        await office.sessions.open(grant.secret)
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(Gone, match="attempts"):
            await office.sessions.open(grant.secret)
    await office.sessions.open((await office.grant(file, subject)).secret)


async def test_a_device_that_is_rejected_again_and_again_waits_whoever_uses_it(office: Office) -> None:
    file, subjects = await office.case(FREE_ATTEMPTS + 1)
    for subject in subjects[:-1]:
        grant = await office.grant(file, subject)
        opened = await office.sessions.open(grant.secret, device=PHONE)
        claim = await office.sessions.claim(opened.session_id, opened.secret)
        assert (await office.sessions.finish(claim, IMPOSTOR)).outcome == "rejected"
    grant = await office.grant(file, subjects[-1])
    with pytest.raises(Limited):
        await office.sessions.open(grant.secret, device=PHONE)
    opened = await office.sessions.open(grant.secret, device=PHONE[::-1])
    claim = await office.sessions.claim(opened.session_id, opened.secret)
    assert (await office.sessions.finish(claim, CONVINCING)).outcome == "accepted"


async def test_what_a_device_calls_itself_is_kept_as_a_hash_alone(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.sessions.open((await office.grant(file, subject)).secret, device=PHONE)
    (session,) = (await office.file(file.case.id)).sessions.values()
    assert session.device is not None
    assert PHONE not in repr(session)


@pytest.mark.parametrize("name", ["", "short", "x" * 65, "with a space in a long name", "名" * 30])
async def test_a_device_needs_a_name_that_nobody_guesses(office: Office, name: str) -> None:
    file, (subject,) = await office.case()
    with pytest.raises(Invalid) as refused:
        await office.sessions.open((await office.grant(file, subject)).secret, device=name)
    assert refused.value.code == "device_invalid"


async def test_test_mode_delays_and_clears_nobody_who_is_real(office: Office) -> None:
    file, (subject,) = await office.case()
    person = file.subjects[subject].person
    for _ in range(FREE_ATTEMPTS):
        await office.sessions.patience.begin(person, now=await office.store.now())
    client, _ = await office.clients.create("somebody else", mode="test")
    elsewhere = replace(office, client=client)
    simulated, (twin,) = await elsewhere.case()
    assert simulated.subjects[twin].person == person
    await elsewhere.verify(simulated, twin)
    with pytest.raises(Limited):
        await office.sessions.open((await office.grant(file, subject)).secret)
