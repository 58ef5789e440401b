import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from registry_office import ClockedStore, Office, open_office

from verify.amendments import CaseChanges
from verify.audit import Event
from verify.casefile import CaseFile, CaseState
from verify.connection import Command, Connection, client
from verify.deliveries import Deliveries
from verify.embedded import EmbeddedValkey
from verify.outbox import LOOK_AGAIN_SECONDS, Outbox
from verify.store import MARK_SECONDS, Change
from verify.store_address import connect_to
from verify.webhooks import Endpoint, Webhooks


def cancelled(file: CaseFile, _: float) -> Change[None]:
    after = file.with_(replace(file.case, state=CaseState.CANCELLED, reason="mistake"))
    return Change(after=after, event=Event(name="case.cancelled", actor="service"), value=None)


def outbox_of(office: Office, store: ClockedStore | None = None) -> Outbox:
    store = store or office.store
    return Outbox(
        store=store,
        clients=office.clients,
        cases=office.cases,
        webhooks=Webhooks(store=store, vault=office.keys.vault, entropy=secrets.token_bytes),
        deliveries=Deliveries(store),
        damaged=office.damaged.append,
    )


@pytest.fixture
def outbox(office: Office) -> Outbox:
    return outbox_of(office)


@pytest.fixture
async def endpoint(outbox: Outbox, office: Office) -> Endpoint:
    return (await outbox.webhooks.create(office.client, "https://registry.example"))[0]


async def sent(outbox: Outbox, endpoint: Endpoint) -> list[str]:
    """Types of what is enqueued for an endpoint, sorted: what is enqueued at once has no order."""
    return sorted(each.notice.type for each in await outbox.deliveries.of(endpoint, limit=50))


async def test_what_was_committed_is_enqueued_once(outbox: Outbox, office: Office, endpoint: Endpoint) -> None:
    file, (subject,) = await office.case()
    await outbox.work(now=await office.store.now())
    await office.verify(file, subject)
    for _ in range(2):
        await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == ["case.opened", "subject.consented", "subject.verified"]
    assert await outbox._marked("pending", 1e11) == ()


async def test_a_mark_outlives_the_work_on_another_of_the_same_millisecond(outbox: Outbox, office: Office) -> None:
    moment = float(int(await office.store.now()))
    office.store.stop_at(moment)
    file, _ = await office.case()
    marks = await outbox._marked("pending", moment)
    office.store.stop_at(moment + 0.0001)
    await office.store.transact(file.case.id, cancelled)
    await outbox._unmark("pending", marks)
    assert [case_id for case_id, _ in await outbox._marked("pending", moment + 1)] == [file.case.id]


async def test_replicas_that_work_at_once_enqueue_once(
    outbox: Outbox, office: Office, endpoint: Endpoint, valkey_url: str
) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    async with ClockedStore(connect_to(valkey_url), prefix=office.store._prefix) as replica:
        now = await replica.now()
        await asyncio.gather(outbox.work(now=now), outbox_of(office, replica).work(now=now))
    assert len(await sent(outbox, endpoint)) == 3


async def test_a_process_that_dies_right_after_its_commit_loses_no_notice(
    outbox: Outbox, office: Office, endpoint: Endpoint, valkey_url: str
) -> None:
    file, _ = await office.case()
    await outbox.work(now=await office.store.now())

    class Dying(type(connect_to(valkey_url))):
        """Says no more once the commit is done."""

        async def run(self, *arguments: object, **options: object) -> str:
            return await super().run(*arguments, **{**options, "after": ()})

    connection = connect_to(valkey_url)
    connection.__class__ = Dying
    async with ClockedStore(connection, prefix=office.store._prefix) as dying:
        await dying.transact(file.case.id, cancelled, durable=True)
    now = await office.store.now()
    await outbox.work(now=now)
    assert await sent(outbox, endpoint) == ["case.opened"]
    await outbox.work(now=now + MARK_SECONDS + 1)
    assert await sent(outbox, endpoint) == ["case.cancelled", "case.opened"]


async def test_a_mark_without_a_commit_means_nothing(outbox: Outbox, office: Office, endpoint: Endpoint) -> None:
    for kind in ("pending", "deadlines"):
        await office.store.ask("ZADD", kind, 1, "case_aaaaaaaaaaaaaaaa")
    await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == []
    assert [await outbox._marked(kind, 1e11) for kind in ("pending", "deadlines")] == [(), ()]


async def test_a_deadline_that_passes_is_told_without_anybody_looking(
    outbox: Outbox, office: Office, endpoint: Endpoint
) -> None:
    file, _ = await office.case()
    office.store.stop_at(file.case.deadline - 1)
    await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == ["case.opened"]
    office.store.stop_at(file.case.deadline + 1)
    await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == ["case.expired", "case.opened"]


@pytest.mark.parametrize("days", [[40], [40, 35], [40, 31, 20]])
async def test_a_deadline_that_was_changed_is_told_when_it_passes(
    outbox: Outbox, office: Office, endpoint: Endpoint, days: list[int]
) -> None:
    file, _ = await office.case()
    for number in days:
        deadline = datetime.fromtimestamp(file.case.opened_at + number * 86400, UTC)
        await office.amendments.change(office.client, file.case.id, CaseChanges(deadline=deadline))
    changed = (await office.file(file.case.id)).case.deadline
    for moment in sorted((file.case.deadline + 1, changed - 1, changed + 1)):
        office.store.stop_at(moment)
        await outbox.work(now=moment)
        assert ("case.expired" in await sent(outbox, endpoint)) is (moment > changed)


async def test_a_client_whose_key_was_revoked_is_told_nothing(
    outbox: Outbox, office: Office, endpoint: Endpoint
) -> None:
    await office.case()
    await office.clients.revoke(office.client.id)
    await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == []


async def test_a_client_is_told_as_long_as_one_of_its_keys_is_good(
    outbox: Outbox, office: Office, endpoint: Endpoint
) -> None:
    await office.case()
    await office.clients.add_key(office.client.id)
    await office.clients.revoke((await office.clients.keys())[0].id)
    await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == ["case.opened"]


class Counted(Connection):
    """Keeps the names of the commands of each round trip."""

    trips: list[list[str]]

    async def _exchange(self, commands: Sequence[Command]) -> list[object]:
        self.trips.append([str(command[0]) for command in commands])
        return await super()._exchange(commands)


async def test_what_many_cases_have_to_tell_is_asked_for_together(tmp_path: Path) -> None:
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    counted = Counted(client(embedded.url))
    counted.trips = []
    async with ClockedStore(counted) as store:
        here = await open_office(store, tmp_path / "office")
        for _ in range(4):
            await here.case()
        counted.trips = []
        await outbox_of(here).work(now=await store.now())
        assert await outbox_of(here)._marked("pending", 1e11) == ()
    await embedded.close()
    assert [trip for trip in counted.trips if trip[0] in {"GET", "LRANGE"}] == [["GET"] * 4, ["LRANGE"] * 4]


async def test_a_damaged_case_keeps_no_other_from_its_notices(
    outbox: Outbox, office: Office, endpoint: Endpoint
) -> None:
    damaged, _ = await office.case()
    whole, _ = await office.case()
    await office.damage(damaged.case.id)
    office.store.stop_at(whole.case.deadline + 1)
    await outbox.work(now=await office.store.now())
    assert await sent(outbox, endpoint) == ["case.expired", "case.opened", "case.opened"]
    assert office.damaged == [damaged.case.id]
    await outbox.work(now=await office.store.now())
    assert office.damaged == [damaged.case.id]
    office.store.stop_at(whole.case.deadline + 2 * LOOK_AGAIN_SECONDS)
    await outbox.work(now=await office.store.now())
    assert office.damaged == [damaged.case.id] * 2
