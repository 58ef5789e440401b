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
    frame = asyncio.create_task(small_pool.run_admitted(int))
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
    await small_pool.run_admitted(int)
    await asyncio.sleep(0.01)
    assert await small_pool.run(int) == 0


async def test_errors_reach_the_caller(small_pool: InferencePool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await small_pool.run(int, "x")
