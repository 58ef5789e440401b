"""The task behind the requests, over a store in which no other one runs."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from registry_office import ClockedStore, Office, open_office

from api.metrics import Metrics
from api.sequencer import Sequencer
from verify.connection import connect


class Recorder:
    """A log that tells when a round has failed."""

    def __init__(self) -> None:
        self.failed = asyncio.Event()

    def warning(self, *_: object, **__: object) -> None:
        self.failed.set()

    exception = warning


@pytest.fixture
async def office(api_store_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with ClockedStore(connect(api_store_url), prefix=f"test-{secrets.token_hex(6)}") as store:
        yield await open_office(store, tmp_path)


@pytest.fixture
def sequencer(office: Office) -> Sequencer:
    return Sequencer(
        checkpoints=office.checkpoints, erasures=office.erasures, metrics=Metrics(), log=Recorder(), every=0.01
    )


async def signed(office: Office, number: int = 1) -> None:
    """Return once there is a checkpoint of this number."""
    for _ in range(5_000):
        newest = await office.checkpoints.newest()
        if newest is not None and newest.claims.n >= number:
            return
    pytest.fail("no checkpoint was signed")


async def test_it_signs_by_itself_as_long_as_it_runs(office: Office, sequencer: Sequencer) -> None:
    await office.case()
    async with sequencer.running():
        await signed(office, 1)
        await office.case()
        await signed(office, 2)


async def test_it_counts_stored_faces(office: Office, sequencer: Sequencer) -> None:
    await office.case(3)
    async with sequencer.running():
        await signed(office)
        await office.case(2)
        await signed(office, 2)
    await sequencer.round()
    assert await office.store.ledger.stored_faces() == 5
    assert b"heyan_stored_faces" in sequencer.metrics.render()


async def test_whoever_stops_leaves_the_turn_to_another(office: Office, sequencer: Sequencer) -> None:
    ledger = office.store.ledger
    await office.case()
    async with replace(sequencer, every=60).running():
        await signed(office)
        assert not await ledger.take_turn("another replica", seconds=60)
    assert await ledger.take_turn("another replica", seconds=60)
    await ledger.leave_turn("a third one")
    assert not await ledger.take_turn("a third one", seconds=60)


async def test_without_the_turn_it_does_nothing(office: Office, sequencer: Sequencer) -> None:
    await office.case()
    await office.store.ledger.take_turn("another replica", seconds=60)
    async with sequencer.running():
        for _ in range(20):
            assert await office.checkpoints.newest() is None


@pytest.mark.parametrize("spoilt", ["latest", "leaves"])
async def test_a_round_that_fails_is_followed_by_the_next(office: Office, sequencer: Sequencer, spoilt: str) -> None:
    """Somebody has spoilt what the round reads; when it is mended the task still runs."""
    await office.case()
    ledger, recorder = office.store.ledger, Recorder()
    await ledger.connection.ask("SET", ledger._key(spoilt), "spoilt")
    async with replace(sequencer, log=recorder).running():
        await asyncio.wait_for(recorder.failed.wait(), 20)
        await ledger.connection.ask("DEL", ledger._key(spoilt))
        await signed(office)


def last_done(sequencer: Sequencer, work: str) -> float:
    return sequencer.metrics.registry.get_sample_value("heyan_round_timestamp_seconds", {"work": work}) or 0.0


async def test_a_checkpoint_is_signed_even_if_nothing_can_be_erased(office: Office, sequencer: Sequencer) -> None:
    await office.case()
    ledger = office.store.ledger
    await ledger.connection.ask("SET", ledger._key("ends"), "spoilt")
    assert last_done(sequencer, "retention") == last_done(sequencer, "checkpoints") == 0
    await sequencer.round()
    assert (last_done(sequencer, "retention"), last_done(sequencer, "checkpoints") > 0) == (0, True)
    assert (await office.checkpoints.newest()).claims.n == 1
    await ledger.connection.ask("DEL", ledger._key("ends"))
    await sequencer.round()
    assert last_done(sequencer, "retention") > 0


async def test_what_is_due_is_erased_even_if_no_checkpoint_can_be_signed(office: Office, sequencer: Sequencer) -> None:
    file, _ = await office.case()
    await office.cases.cancel(office.client, file.case.id, "withdrawn")
    await sequencer.round()
    ledger = office.store.ledger
    signed_at = last_done(sequencer, "checkpoints")
    await ledger.connection.ask("LSET", ledger._key("checkpoints"), -1, "e30.e30.AA")
    office.store.advance(31 * 86400)
    await sequencer.round()
    assert (await office.store.load(file.case.id))[0].case.wrapped_key == b""
    assert last_done(sequencer, "checkpoints") == signed_at < last_done(sequencer, "retention")
