import asyncio
import time

import pytest
from registry_office import NUMBER, Office

from verify.contact_limits import ContactLimits
from verify.contacts import contact
from verify.errors import Limited

PHONE = contact("sms", NUMBER)


@pytest.fixture
def limits(office: Office) -> ContactLimits:
    return ContactLimits(store=office.store, vault=office.keys.vault, per_hour=2, per_day=3)


async def wait_of(limits: ContactLimits, message_id: str, *, now: float) -> float:
    """0.0 if there was a place."""
    try:
        await limits.take(PHONE, message_id, mode="live", now=now)
    except Limited as error:
        assert error.code == "contact_limited"
        return error.retry_after
    return 0.0


async def test_a_contact_gets_so_many_an_hour_and_so_many_a_day(limits: ContactLimits) -> None:
    start = time.time()
    assert [await wait_of(limits, f"m{at}", now=start + at) for at in (0, 60)] == [0.0, 0.0]
    assert await wait_of(limits, "m2", now=start + 120) == pytest.approx(3480, abs=0.01)
    assert await wait_of(limits, "m3", now=start + 3601) == 0.0
    assert await wait_of(limits, "m4", now=start + 9000) == pytest.approx(86400 - 9000, abs=0.01)
    assert await wait_of(limits, "m5", now=start + 86401) == 0.0


async def test_of_many_at_once_only_so_many_get_a_place(limits: ContactLimits) -> None:
    now = time.time()
    waits = await asyncio.gather(*(wait_of(limits, f"m{each}", now=now) for each in range(8)))
    assert waits.count(0.0) == 2


async def test_the_same_message_takes_one_place(limits: ContactLimits) -> None:
    now = time.time()
    assert [await wait_of(limits, "m", now=now) for _ in range(4)] == [0.0] * 4
    assert await wait_of(limits, "other", now=now) == 0.0


async def test_a_place_that_is_given_back_is_free(limits: ContactLimits) -> None:
    now = time.time()
    await wait_of(limits, "m0", now=now)
    await wait_of(limits, "m1", now=now)
    await limits.give_back(PHONE, "m1", mode="live")
    assert await wait_of(limits, "m2", now=now) == 0.0


async def test_contacts_and_modes_are_counted_apart(limits: ContactLimits) -> None:
    now = time.time()
    for message_id in ("m0", "m1"):
        await limits.take(PHONE, message_id, mode="live", now=now)
    await limits.take(PHONE, "m2", mode="test", now=now)
    await limits.take(contact("sms", "+8613812345679"), "m3", mode="live", now=now)


async def test_a_lower_limit_holds_for_what_was_taken_before(limits: ContactLimits, office: Office) -> None:
    now = time.time()
    for at in range(3):
        await ContactLimits(store=office.store, vault=office.keys.vault, per_hour=9, per_day=9).take(
            PHONE, f"m{at}", mode="live", now=now + at
        )
    assert await wait_of(limits, "late", now=now + 10) == pytest.approx(86400 - 10, abs=0.01)


async def test_the_store_holds_no_contact(limits: ContactLimits, office: Office) -> None:
    await limits.take(PHONE, "m", mode="live", now=time.time())
    keys = await office.store._connection.ask("KEYS", "*contacts*")
    assert keys
    assert not any(b"13812345678" in key for key in keys)
