import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_office import Office

from verify.backoff import LONGEST_RETRY_AFTER
from verify.deliveries import (
    LEASE_SECONDS,
    RETRY_SECONDS,
    Attempt,
    Deliveries,
    Delivery,
    after_attempt,
)
from verify.notices import Notice
from verify.webhooks import Endpoint, Webhooks

NOTICE = Notice(id="evt_1", type="case.opened", client="cli_1", mode="live", at=1.0, data={})
FRESH = Delivery(id="dlv_1", endpoint="whk_1", notice=NOTICE, state="pending", attempts=0, next_at=0.0)
DAY = 86400.0


def attempt(at: float = 0.0, **changes: object) -> Attempt:
    return Attempt(at=at, seconds=0.1, **changes)


def waits(jitter: float) -> list[float]:
    """Waits of a delivery whose receiver never answers well."""
    delivery, found = FRESH, list[float]()
    while delivery.state == "pending":
        at = delivery.next_at or 0.0
        delivery = after_attempt(delivery, attempt(at, status=500), jitter=jitter)
        found += [delivery.next_at - at] if delivery.next_at is not None else []
    assert (delivery.state, delivery.attempts) == ("failed", len(RETRY_SECONDS) + 1)
    return found


@given(st.floats(0, 1))
def test_a_receiver_that_fails_is_tried_for_about_three_days_more_and_more_seldom(jitter: float) -> None:
    found = waits(jitter)
    assert found == sorted(found)
    assert 3 * DAY < sum(found) < 4 * DAY


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_success_is_delivered(status: int) -> None:
    after = after_attempt(FRESH, attempt(status=status), jitter=0.0)
    assert (after.state, after.next_at, after.attempts) == ("delivered", None, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 599, None])
def test_everything_else_is_tried_again(status: int | None) -> None:
    after = after_attempt(FRESH, attempt(7.0, status=status), jitter=0.0)
    assert (after.state, after.next_at) == ("pending", 7.0 + RETRY_SECONDS[0])


def test_gone_is_final() -> None:
    assert after_attempt(FRESH, attempt(status=410), jitter=0.0).state == "failed"


@pytest.mark.parametrize(
    ("status", "asked", "wait"),
    [(429, 60.0, 60.0), (503, 60.0, 60.0), (503, 1.0, 5.0), (500, 60.0, 5.0), (429, 1e9, LONGEST_RETRY_AFTER)],
)
def test_an_overloaded_receiver_is_left_alone_as_long_as_it_asks(status: int, asked: float, wait: float) -> None:
    assert after_attempt(FRESH, attempt(status=status, retry_after=asked), jitter=0.0).next_at == wait


@pytest.fixture
async def endpoint(office: Office) -> Endpoint:
    webhooks = Webhooks(store=office.store, vault=office.keys.vault, entropy=secrets.token_bytes)
    return (await webhooks.create(office.client, "https://registry.example"))[0]


@pytest.fixture
def deliveries(office: Office) -> Deliveries:
    return Deliveries(office.store)


async def test_a_lease_is_one_replicas_until_it_ends(deliveries: Deliveries, endpoint: Endpoint) -> None:
    await deliveries.add(endpoint, NOTICE, now=100.0)
    assert len(await deliveries.lease(now=100.0, limit=5, each=5)) == 1
    assert await deliveries.lease(now=100.0 + LEASE_SECONDS - 1, limit=5, each=5) == ()
    assert len(await deliveries.lease(now=100.0 + LEASE_SECONDS, limit=5, each=5)) == 1


async def test_the_same_notice_is_enqueued_once_also_after_it_was_delivered(
    deliveries: Deliveries, endpoint: Endpoint
) -> None:
    for _ in range(2):
        await deliveries.add(endpoint, NOTICE, now=100.0)
    (leased,) = await deliveries.lease(now=100.0, limit=5, each=5)
    await deliveries.settle(leased, after_attempt(leased.delivery, attempt(status=200), jitter=0.0))
    await deliveries.add(endpoint, NOTICE, now=200.0)
    assert await deliveries.lease(now=1e6, limit=5, each=5) == ()
    assert [each.state for each in await deliveries.of(endpoint, limit=5)] == ["delivered"]


async def test_a_replay_goes_out_again(deliveries: Deliveries, endpoint: Endpoint) -> None:
    await deliveries.add(endpoint, NOTICE, now=100.0)
    (leased,) = await deliveries.lease(now=100.0, limit=5, each=5)
    await deliveries.add(endpoint, NOTICE, now=150.0, again=True)
    await deliveries.settle(leased, after_attempt(leased.delivery, attempt(status=500), jitter=0.0))
    (again,) = await deliveries.lease(now=150.0, limit=5, each=5)
    assert (again.delivery.attempts, again.delivery.next_at) == (0, 150.0)


async def test_what_was_settled_late_changes_nothing(deliveries: Deliveries, endpoint: Endpoint) -> None:
    await deliveries.add(endpoint, NOTICE, now=100.0)
    (slow,) = await deliveries.lease(now=100.0, limit=5, each=5)
    (fast,) = await deliveries.lease(now=100.0 + LEASE_SECONDS, limit=5, each=5)
    await deliveries.settle(fast, after_attempt(fast.delivery, attempt(160.0, status=200), jitter=0.0))
    await deliveries.settle(slow, after_attempt(slow.delivery, attempt(170.0, status=500), jitter=0.0))
    assert [each.state for each in await deliveries.of(endpoint, limit=5)] == ["delivered"]
    assert await deliveries.lease(now=1e6, limit=5, each=5) == ()


async def test_the_log_is_newest_first(deliveries: Deliveries, endpoint: Endpoint) -> None:
    for number in range(4):
        await deliveries.add(endpoint, replace(NOTICE, id=f"evt_{number}"), now=100.0 + number)
    assert [each.notice.id for each in await deliveries.of(endpoint, limit=3)] == ["evt_3", "evt_2", "evt_1"]


async def test_one_endpoint_takes_no_more_than_its_share(
    office: Office, deliveries: Deliveries, endpoint: Endpoint
) -> None:
    webhooks = Webhooks(store=office.store, vault=office.keys.vault, entropy=secrets.token_bytes)
    other, _ = await webhooks.create(office.client, "https://other.example")
    for number in range(6):
        await deliveries.add(endpoint, replace(NOTICE, id=f"evt_{number}"), now=100.0)
    await deliveries.add(other, NOTICE, now=101.0)
    first = await deliveries.lease(now=102.0, limit=5, each=3)
    assert sorted(each.delivery.endpoint for each in first) == sorted([endpoint.id] * 3 + [other.id])
    second = await deliveries.lease(now=102.0, limit=5, each=3, busy={endpoint.id: 2})
    assert [each.delivery.endpoint for each in second] == [endpoint.id]
    assert await deliveries.lease(now=102.0, limit=0, each=3) == ()
    assert len(await deliveries.lease(now=102.0, limit=5, each=9)) == 2
    assert await deliveries.lease(now=102.0, limit=5, each=9) == ()


async def test_a_delivery_whose_time_of_keeping_is_over_leaves_the_queue(
    office: Office, deliveries: Deliveries, endpoint: Endpoint
) -> None:
    delivery = await deliveries.add(endpoint, NOTICE, now=100.0)
    await office.store.ask("DEL", f"{{webhooks}}:delivery:{delivery.id}")
    assert await deliveries.lease(now=100.0, limit=5, each=5) == ()
    assert await office.store.ask("ZCARD", "{webhooks}:due") == 0
