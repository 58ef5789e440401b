"""Inference off the event loop: a thread pool with a bounded queue. ONNX Runtime releases the GIL while it works."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from api.errors import OverloadedError

P = ParamSpec("P")
T = TypeVar("T")


class InferencePool:
    """Runs CPU-bound functions on `workers` threads.

    Requests are refused early once `queue` of them run or wait. Frames of live sessions are admitted by the session,
    one at a time each, and never refused: a person in front of the camera goes before a batch of comparisons.
    """

    def __init__(self, *, workers: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="inference")
        self._queue = queue
        self._requests = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the work of one request and wait for its result. Call from the event loop only.

        A caller that is cancelled leaves a running job to its end: it counts until then.

        Raises:
            OverloadedError: the queue is full; nothing was run.
        """
        if self._requests >= self._queue:
            raise OverloadedError
        loop = asyncio.get_running_loop()
        self._requests += 1
        job = self._executor.submit(work, *args, **kwargs)
        job.add_done_callback(lambda done: self._release(loop, done))
        return await asyncio.wrap_future(job)

    async def run_admitted(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work whose amount is bounded already: one frame of an admitted live session."""
        return await asyncio.wrap_future(self._executor.submit(work, *args, **kwargs))

    def close(self) -> None:
        """Wait for running jobs, drop waiting ones."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _release(self, loop: asyncio.AbstractEventLoop, _: "Future[T]") -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._requests -= 1
