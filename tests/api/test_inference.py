import asyncio
import threading
from collections.abc import Iterator

import pytest

from api.errors import OverloadedError
from api.inference import InferencePool


@pytest.fixture
def small_pool() -> Iterator[InferencePool]:
    pool = InferencePool(workers=1, queue=1)
    yield pool
    pool.close()


async def test_work_runs_on_another_thread(small_pool: InferencePool) -> None:
    assert await small_pool.run(threading.get_ident) != threading.get_ident()


async def test_a_full_queue_refuses_early_but_admitted_frames_still_run(small_pool: InferencePool) -> None:
    gate = threading.Event()
    running = asyncio.create_task(small_pool.run(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError) as caught:
        await small_pool.run(int)
    assert caught.value.retry_after is not None
    frame = asyncio.create_task(small_pool.run_in_turn("session", lambda: int))
    await asyncio.sleep(0)
    gate.set()
    assert await running
    assert await frame == 0


async def test_a_caller_that_goes_away_leaves_its_job_counted(small_pool: InferencePool) -> None:
    gate = threading.Event()
    running = asyncio.create_task(small_pool.run(gate.wait))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(OverloadedError):
        await small_pool.run(int)
    gate.set()
    await small_pool.run_in_turn("session", lambda: int)
    await asyncio.sleep(0.01)
    assert await small_pool.run(int) == 0


async def test_errors_reach_the_caller(small_pool: InferencePool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await small_pool.run(int, "x")


async def test_a_batch_of_requests_gets_no_more_turns_than_a_session() -> None:
    pool = InferencePool(workers=1, queue=10)
    gate, ran = threading.Event(), list[str]()
    first = asyncio.create_task(pool.run(gate.wait))
    await asyncio.sleep(0)
    batch = [asyncio.create_task(pool.run(ran.append, "photo")) for _ in range(3)]
    await asyncio.sleep(0)
    frames = [
        asyncio.create_task(pool.run_in_turn(session, lambda name=session: lambda: ran.append(name)))
        for session in ("one", "two")
    ]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *batch, *frames)
    pool.close()
    assert ran == ["photo", "one", "two", "photo", "photo"]


async def test_what_is_to_be_done_is_chosen_only_when_its_turn_has_come(small_pool: InferencePool) -> None:
    gate, newest = threading.Event(), ["old"]
    running = asyncio.create_task(small_pool.run(gate.wait))
    await asyncio.sleep(0)
    frame = asyncio.create_task(small_pool.run_in_turn("session", lambda: newest[-1].upper))
    await asyncio.sleep(0)
    newest.append("new")
    gate.set()
    assert await frame == "NEW"
    assert await running


async def test_who_goes_away_while_waiting_keeps_nobody_waiting(small_pool: InferencePool) -> None:
    gate = threading.Event()
    running = asyncio.create_task(small_pool.run(gate.wait))
    await asyncio.sleep(0)
    gone = asyncio.create_task(small_pool.run_in_turn("gone", lambda: int))
    stays = asyncio.create_task(small_pool.run_in_turn("stays", lambda: int))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    assert await stays == 0
    assert await running
    assert gone.cancelled()


async def test_a_choice_that_fails_gives_the_thread_back(small_pool: InferencePool) -> None:
    def choose() -> None:
        raise LookupError("nothing waits here")

    with pytest.raises(LookupError):
        await small_pool.run_in_turn("session", choose)  # type: ignore[arg-type]
    assert await small_pool.run(int) == 0
