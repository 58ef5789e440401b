"""Deliveries to a real receiver on loopback; the clock is the store's, moved by hand."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from receiver import Receiver, receiving
from registry_office import ClockedStore, Office, open_office
from standardwebhooks import Webhook
from structlog import get_logger
from structlog.testing import capture_logs

from api.delivery import DeliveryWorker, delivering
from api.metrics import Metrics
from api.outbound import Outbound
from verify.connection import connect
from verify.deliveries import LEASE_SECONDS, RETRY_SECONDS, Deliveries
from verify.outbox import Outbox
from verify.webhooks import Endpoint, Webhooks


def worker_of(office: Office, store: ClockedStore) -> DeliveryWorker:
    webhooks = Webhooks(store=store, vault=office.keys.vault, entropy=secrets.token_bytes)
    deliveries = Deliveries(store)
    return DeliveryWorker(
        store=store,
        outbox=Outbox(
            store=store,
            clients=office.clients,
            cases=office.cases,
            webhooks=webhooks,
            deliveries=deliveries,
            damaged=office.damaged.append,
        ),
        webhooks=webhooks,
        deliveries=deliveries,
        outbound=Outbound(allow_private=True),
        jitter=lambda: 0.0,
        metrics=Metrics(),
        log=get_logger("test"),
    )


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
async def office(api_store_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with ClockedStore(connect(api_store_url), prefix=prefix) as store:
        yield await open_office(store, tmp_path)


@pytest.fixture
async def replica(api_store_url: str, prefix: str, office: Office) -> AsyncIterator[DeliveryWorker]:
    """Another process of the service, or the same one after a restart."""
    async with ClockedStore(connect(api_store_url), prefix=prefix) as store:
        yield worker_of(office, store)


@pytest.fixture
def worker(office: Office) -> DeliveryWorker:
    return worker_of(office, office.store)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def registered(worker: DeliveryWorker, office: Office, receiver: Receiver) -> tuple[Endpoint, str]:
    return await worker.webhooks.create(office.client, receiver.url)


async def states(worker: DeliveryWorker, endpoint: Endpoint) -> list[str]:
    return [each.state for each in await worker.deliveries.of(endpoint, limit=50)]


async def test_what_happens_to_a_case_arrives_signed(
    worker: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    endpoint, secret = await registered(worker, office, receiver)
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    assert await worker.turn() == 3
    told = {}
    for received in receiver.received:
        content = Webhook(secret).verify(received.body, received.headers)
        assert content["id"] == received.headers["webhook-id"]
        told[content["type"]] = content["data"]
    assert set(told) == {"case.opened", "subject.consented", "subject.verified"}
    assert told["subject.verified"]["subject"] == subject
    assert await states(worker, endpoint) == ["delivered"] * 3
    assert await worker.turn() == 0


async def test_a_failing_receiver_is_tried_again_later_with_the_same_id(
    worker: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await registered(worker, office, receiver)
    receiver.status = 500
    await office.case()
    await worker.turn()
    assert await worker.turn() == 0
    office.store.advance(RETRY_SECONDS[0] + 1)
    receiver.status = 200
    assert await worker.turn() == 1
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert await states(worker, endpoint) == ["delivered"]


async def test_two_replicas_deliver_once(
    worker: DeliveryWorker, replica: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    await registered(worker, office, receiver)
    for _ in range(6):
        await office.case()
    tried = await asyncio.gather(worker.turn(), replica.turn())
    tried += await asyncio.gather(worker.turn(), replica.turn())
    assert sum(tried) == 6
    assert len({each.headers["webhook-id"] for each in receiver.received}) == len(receiver.received) == 6


async def test_a_replica_that_dies_while_it_sends_is_stood_in_for(
    worker: DeliveryWorker, replica: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    await registered(worker, office, receiver)
    await office.case()
    await worker._lease(Counter())  # and then it dies
    assert await replica.turn() == 0
    replica.store.advance(LEASE_SECONDS + 1)
    assert await replica.turn() == 1
    assert len(receiver.received) == 1


async def test_a_restart_loses_nothing(
    worker: DeliveryWorker, replica: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await registered(worker, office, receiver)
    receiver.status = 503
    await office.case()
    await worker.turn()
    receiver.status = 200
    replica.store.advance(RETRY_SECONDS[0] + 1)
    assert await replica.turn() == 1
    assert await states(replica, endpoint) == ["delivered"]


async def test_an_endpoint_that_is_gone_gets_nothing_more(
    worker: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await registered(worker, office, receiver)
    receiver.status = 410
    file, (subject,) = await office.case()
    await worker.turn()
    await office.verify(file, subject)
    office.store.advance(RETRY_SECONDS[0] + 1)
    await worker.turn()
    assert len(receiver.received) == 1
    assert (await worker.webhooks.get(office.client, endpoint.id)).state == "disabled"
    assert await states(worker, endpoint) == ["failed"]


async def test_what_waits_for_an_endpoint_that_was_deleted_is_dropped(
    worker: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    endpoint, _ = await registered(worker, office, receiver)
    receiver.status = 500
    await office.case()
    await worker.turn()
    await worker.webhooks.delete(office.client, endpoint.id)
    office.store.advance(RETRY_SECONDS[0] + 1)
    await worker.turn()
    assert len(receiver.received) == 1
    assert await states(worker, endpoint) == ["dropped"]


async def test_a_receiver_that_asks_for_time_gets_it(
    worker: DeliveryWorker, office: Office, receiver: Receiver
) -> None:
    await registered(worker, office, receiver)
    receiver.status, receiver.headers = 429, {"retry-after": "900"}
    await office.case()
    await worker.turn()
    office.store.advance(890)
    assert await worker.turn() == 0
    office.store.advance(901)
    assert await worker.turn() == 1


async def test_a_receiver_that_does_not_answer_keeps_nobody_else_waiting(
    worker: DeliveryWorker, office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.delivery.AT_ONCE", 5)
    monkeypatch.setattr("api.delivery.AT_ONCE_EACH", 2)
    monkeypatch.setattr("api.delivery.TURN_SECONDS", 0.01)
    async with receiving() as slow:
        slow.hold = asyncio.Event()
        await registered(worker, office, slow)
        await registered(worker, office, receiver)
        for _ in range(8):
            await office.case()
        async with asyncio.timeout(20), delivering(worker):
            while len(receiver.received) < 8:
                receiver.arrived.clear()
                await receiver.arrived.wait()
            assert len(slow.received) == 2


async def test_the_worker_goes_on_after_a_failure(
    worker: DeliveryWorker, office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(worker, office, receiver)
    await office.case()
    failures = iter([RuntimeError("a fault")])
    work = Outbox.work

    async def failing(self: Outbox, *, now: float) -> None:
        for failure in failures:
            raise failure
        await work(self, now=now)

    monkeypatch.setattr(Outbox, "work", failing)
    monkeypatch.setattr("api.delivery.TURN_SECONDS", 0.01)
    with capture_logs() as logged:
        async with asyncio.timeout(20), delivering(worker):
            await receiver.arrived.wait()
    assert [line["event"] for line in logged] == ["deliveries_failed"]
    assert msgspec.json.decode(receiver.received[0].body)["type"] == "case.opened"
