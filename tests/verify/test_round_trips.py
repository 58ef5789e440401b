"""How often a redemption goes to the store: that, and the disk, is what it takes its time for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from registry_office import ClockedStore, Office, open_office, person, resident, restate

from verify.connection import Command, Connection, client
from verify.deputies import Identity, NewAppointment
from verify.embedded import EmbeddedValkey
from verify.errors import Invalid, Refused
from verify.signing import OVERLAP_SECONDS


class Counted(Connection):
    """Keeps the names of the commands of each round trip."""

    trips: list[list[str]]

    async def _exchange(self, commands: list[Command]) -> list[object]:
        self.trips.append([str(command[0]) for command in commands])
        return await super()._exchange(commands)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """One store, whatever the other tests run on: a cluster's round trips go to several nodes at once."""
    return EmbeddedValkey(tmp_path / "store").url


@pytest.fixture
async def counted(url: str, tmp_path: Path) -> AsyncIterator[Counted]:
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    connection = Counted(client(url))
    connection.trips = []
    yield connection
    await connection.close()
    await embedded.close()


@pytest.fixture
async def office(counted: Counted, tmp_path: Path) -> Office:
    return await open_office(ClockedStore(counted), tmp_path / "office")


def trips_since(counted: Counted) -> list[list[str]]:
    trips, counted.trips = counted.trips, []
    return trips


LOOK = ["HGET", "TIME", "GET", "LINDEX"]
COMMIT = ["ZADD", "ZADD", "ZADD", "EVALSHA", "WAITAOF", "ZADD"]
"""Marks of what the commit brings about, the commit, the wait for the disk, and the exact mark."""


async def test_a_redemption_is_three_round_trips_with_its_key_and_a_mint_as_many(
    counted: Counted, office: Office
) -> None:
    file, people = await office.case(2)
    await office.verify(file, *people)
    await office.redemptions.redeem(office.client, await office.mint(file, people[0]), restate(file, people[0]))
    trips_since(counted)
    caller = await office.clients.authenticate(office.api_key)
    token = (await office.tokens.mint(caller, file.case.id, people[1])).token
    assert trips_since(counted) == [["HGET"], LOOK, ["ZADD", "ZADD", "EVALSHA"]]
    caller = await office.clients.authenticate(office.api_key)
    await office.redemptions.redeem(caller, token, restate(file, people[1]))
    assert trips_since(counted) == [["HGET"], LOOK, COMMIT]


async def test_another_replica_needs_no_more(counted: Counted, office: Office, url: str, tmp_path: Path) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    connection = Counted(client(url))
    connection.trips = []
    async with ClockedStore(connection) as store:
        await store.confirm_durable()
        replica = replace(await open_office(store, tmp_path / "office"), client=office.client)
        trips_since(connection)
        await replica.redemptions.redeem(office.client, token, restate(file, subject))
        first, second, *sent_again = trips_since(connection)
    assert first == ["HGETALL", *LOOK[1:]]
    assert [trip[-3:] for trip in (second, *sent_again)] in (
        [["EVALSHA", "WAITAOF", "ZADD"]],
        [["EVALSHA", "WAITAOF", "ZADD"], ["EVAL", "WAITAOF", "ZADD"]],
    )


async def test_a_refusal_looks_once_and_writes_nothing(counted: Counted, office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    trips_since(counted)
    with pytest.raises(Exception, match="redeemed already"):
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert trips_since(counted) == [LOOK]


async def test_a_deputys_appointment_is_asked_for_in_the_same_look(counted: Counted, office: Office) -> None:
    now = datetime.fromtimestamp(await office.store.now(), UTC)
    appointment = await office.cases.deputies.appoint(
        office.client,
        NewAppointment(
            deputy=Identity(name="张三丰", document=resident(1)),
            principal=Identity(name="李四", document=resident(2)),
            actions=("capital.increase",),
            valid_from=now,
            valid_until=now + timedelta(days=1),
        ),
    )
    file, (subject,) = await office.case(subjects=(person(1, appointment=appointment.id),))
    token = await office.verified_token(file, subject)
    trips_since(counted)
    assert (await office.store.load(file.case.id))[0].subjects[subject].on_behalf_of is not None
    assert await office.redemptions.introspect(office.client, token)
    assert trips_since(counted) == [["HGET", "TIME"], [*LOOK, "HGET"]]
    await office.cases.deputies.revoke(office.client, appointment.id)
    with pytest.raises(Refused) as caught:
        await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert caught.value.code == "deputy_not_appointed"


async def test_callers_of_one_case_wait_for_each_other_and_meet_no_conflict(counted: Counted, office: Office) -> None:
    file, people = await office.case(5)
    await office.verify(file, *people)
    tokens = [await office.mint(file, subject) for subject in people]
    await office.store.confirm_durable()
    trips_since(counted)
    await asyncio.gather(
        *(
            office.redemptions.redeem(office.client, token, restate(file, subject))
            for token, subject in zip(tokens, people, strict=True)
        )
    )
    commits = [trip for trip in trips_since(counted) if "EVALSHA" in trip]
    assert len(commits) == len(people)


async def test_a_token_of_a_key_that_has_ceased_to_count_is_refused(office: Office) -> None:
    """Its signature is good, and only the store's clock says that its key is not."""
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    now = await office.store.now()
    office.keys.rings["live"].rotate(now=now, at_once=True)
    office.store.stop_at(now + OVERLAP_SECONDS + 1)
    assert await office.redemptions.introspect(office.client, token) is None
    for attempt in range(2):
        with pytest.raises(Invalid) as caught:
            await office.redemptions.redeem(office.client, token, restate(file, subject, roster_version=1 + attempt))
        assert caught.value.code == "token_invalid"
    assert (await office.file(file.case.id)).receipts == {}
