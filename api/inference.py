"""Inference off the event loop: threads with a bounded queue and fair turns. ONNX Runtime works without the GIL."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from api.errors import OverloadedError
from api.fair_threads import FairThreads

P = ParamSpec("P")
T = TypeVar("T")

REQUESTS = "requests"
"""All photos of requests are one party: a batch of comparisons gets as many turns as one live session."""


class InferencePool(FairThreads):
    """Runs CPU-bound functions on `workers` threads. For one event loop.

    Requests are refused early once `queue` of them run or wait. Live sessions are admitted by `api.admission` and have
    one frame at a time each: they are never refused here (`run_in_turn`).
    """

    def __init__(self, *, workers: int, queue: int) -> None:
        super().__init__(workers, name="inference")
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
        self._requests += 1
        try:
            await self._turn(REQUESTS)
        except BaseException:
            self._requests -= 1
            raise
        return await self._started(lambda: work(*args, **kwargs), after=self._request_ended)

    def _request_ended(self) -> None:
        self._requests -= 1
        self._pass_on()
