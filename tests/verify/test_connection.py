"""What goes over one connection in one round trip, and what becomes of it when the other side does not answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from verify.connection import Connection, SameConnection, client, connect, exchange
from verify.embedded import EmbeddedValkey
from verify.errors import StoreUnavailable

PATIENCE_SECONDS = 0.2


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A server of this test's own: it is made to wait."""
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    yield embedded.url
    await embedded.close()


async def test_answers_and_errors_keep_their_places(url: str) -> None:
    redis = client(url)
    answers = await exchange(redis, [("SET", "a", "1"), ("LPUSH", "a", "2"), ("NO SUCH",), ("GET", "a")])
    await redis.aclose()
    assert isinstance(answers[1], ResponseError)
    assert isinstance(answers[2], ResponseError)
    assert (answers[0], answers[3]) == (True, b"1")


async def test_an_answer_that_is_given_up_is_nobody_elses(url: str) -> None:
    connection = connect(url, answer_seconds=PATIENCE_SECONDS)
    await connection.ask("SET", "mine", "yes")
    with pytest.raises(StoreUnavailable, match="TimeoutError"):
        await connection.ask("BLPOP", "nothing", 2)
    asking = asyncio.create_task(connection.ask("BLPOP", "nothing", 2))
    await asyncio.sleep(PATIENCE_SECONDS / 4)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [await connection.ask("GET", "mine") for _ in range(3)] == [b"yes"] * 3
    await connection.close()


async def test_a_server_that_says_nothing_keeps_nobody_longer_however_much_is_asked(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_unix_server(silent, tmp_path / "silent.sock")
    connection = connect(f"unix://{tmp_path}/silent.sock", answer_seconds=PATIENCE_SECONDS)
    started = perf_counter()
    with pytest.raises(StoreUnavailable, match="TimeoutError"):
        await connection.ask_all(*[("TIME",)] * 20)
    assert perf_counter() - started < 5 * PATIENCE_SECONDS
    await connection.close()
    async with asyncio.timeout(10):
        await left.wait()
    server.close()
    await server.wait_closed()


async def test_what_broke_off_is_asked_again(url: str) -> None:
    connection = connect(url)
    await connection.ask("SET", "mine", "yes")
    await connection.ask("CLIENT KILL", "TYPE", "normal", "SKIPME", "no")
    assert await connection.ask("GET", "mine") == b"yes"
    await connection.close()


async def test_one_task_goes_on_over_its_connection_and_what_runs_beside_it_over_others(url: str) -> None:
    redis = client(url)
    connection = Connection(redis)

    async def own_id() -> int:
        return int(await connection.ask("CLIENT ID"))

    async with SameConnection():
        first = await own_id()
        beside = await asyncio.gather(own_id(), own_id())
        assert await own_id() == first
    assert len(set(beside)) == 2
    assert _in_use(redis) == 0
    await connection.close()


async def test_a_connection_is_given_back_whatever_happens_to_who_kept_it(url: str) -> None:
    redis = client(url)
    connection = Connection(redis, answer_seconds=PATIENCE_SECONDS)

    async def keep(*commands: str | int) -> None:
        async with SameConnection():
            await connection.ask("SET", "mine", "yes")
            await connection.ask(*commands)

    with pytest.raises(StoreUnavailable, match="TimeoutError"):
        await keep("BLPOP", "nothing", 2)
    with pytest.raises(StoreUnavailable, match="ResponseError"):
        await keep("NO SUCH")
    asking = asyncio.create_task(keep("BLPOP", "nothing", 2))
    await asyncio.sleep(PATIENCE_SECONDS / 4)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [await connection.ask("GET", "mine") for _ in range(3)] == [b"yes"] * 3
    assert _in_use(redis) == 0
    await connection.close()


async def test_what_outlives_who_kept_a_connection_keeps_none(url: str) -> None:
    redis = client(url)
    connection = Connection(redis)
    ended = asyncio.Event()

    async def later() -> None:
        await ended.wait()
        await connection.ask("PING")

    async with SameConnection():
        await connection.ask("PING")
        outliving = asyncio.create_task(later())
    ended.set()
    await outliving
    assert _in_use(redis) == 0
    await connection.close()


async def test_a_kept_connection_that_broke_off_is_made_anew(url: str) -> None:
    connection = connect(url)
    async with SameConnection():
        kept = await connection.ask("CLIENT ID")
        other = connect(url)
        await other.ask("CLIENT KILL", "ID", kept)
        await other.close()
        assert await connection.ask("CLIENT ID") != kept
    await connection.close()


def _in_use(redis: Redis) -> int:
    """Connections that are out of the pool."""
    return len(redis.connection_pool._in_use_connections)
