"""A store under real sentinels: its primary dies, a replica takes over, and nothing that was confirmed is missing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from benchmarks.store_servers import Watched, running_under_sentinels
from verify.connection import Connection, Script
from verify.errors import StoreUnavailable
from verify.sentinel import SentinelAddress, parse_sentinel_address
from verify.store_address import check_address, connect_to

FAILOVER_SECONDS = 60.0
"""A bound for the test; half a second to notice and an election take some two or three."""
WRITTEN = Script.of("return redis.call('RPUSH', KEYS[1], ARGV[1])")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with running_under_sentinels(tmp_path) as running:
        yield running


async def test_what_was_confirmed_outlives_the_primary(watched: Watched) -> None:
    store = connect_to(watched.url, durable_replicas=1)
    writing = asyncio.create_task(_write(store, more=3))
    await asyncio.sleep(2.5)
    watched.primary.process.kill()
    confirmed, refused = await writing
    kept = [int(number) for number in await store.ask("LRANGE", "written", 0, -1)]
    await store.close()
    assert refused > 0, "the primary died while nobody wrote"
    assert set(confirmed) <= set(kept)
    assert confirmed == sorted(confirmed)


async def _write(store: Connection, *, more: int) -> tuple[list[int], int]:
    """Numbers until `more` of them were confirmed after some were not; those that were confirmed, and how many not."""
    confirmed, refused, number, until = list[int](), 0, 0, monotonic() + FAILOVER_SECONDS
    since_refusal = 0
    while not refused or since_refusal < more:
        assert monotonic() < until, f"{len(confirmed)} confirmed, {refused} refused, and no new primary"
        number += 1
        try:
            await store.run(WRITTEN, ["written"], [number], durable=True)
        except StoreUnavailable:
            refused += 1
            await asyncio.sleep(0.05)
            continue
        confirmed.append(number)
        since_refusal += bool(refused)
    return confirmed, refused


def test_an_address_says_who_watches_what() -> None:
    found = parse_sentinel_address("rediss+sentinel://clerk:a%40b@one:1,two,[::1]:3/heyan/2?sentinel_password=x%20y")
    assert found == SentinelAddress(
        sentinels=(("one", 1), ("two", 26379), ("::1", 3)),
        service="heyan",
        database=2,
        username="clerk",
        password="a@b",
        sentinel_password="x y",
        tls=True,
    )


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("redis+sentinel://one:1", "no service"),
        ("redis+sentinel://one:1/heyan/first", "no number"),
        ("redis+sentinel://one:1/heyan?password=x", "another parameter"),
        ("redis+sentinel://one:eleven/heyan", "no HOST:PORT"),
        ("redis+sentinel://one:1,,/heyan", "without a host"),
        ("http://one:1", "must begin with"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        check_address(address)
