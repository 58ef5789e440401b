"""Inference off the event loop: threads with a bounded queue and fair turns. ONNX Runtime works without the GIL."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from api.errors import OverloadedError
from api.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")

REQUESTS = "requests"
"""All photos of requests are one party: a batch of comparisons gets as many turns as one live session."""


class InferencePool:
    """Runs CPU-bound functions on `workers` threads. For one event loop.

    Requests are refused early once `queue` of them run or wait. Live sessions are admitted by `api.admission` and have
    one frame at a time each: they are never refused here. Who waits gets turns, party by party (`api.turns`).
    """

    def __init__(self, *, workers: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="inference")
        self._idle = workers
        self._turns: Turns[asyncio.Future[None]] = Turns()
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

    async def run_in_turn(self, party: Hashable, choose: Callable[[], Callable[[], T]]) -> T:
        """Run work whose amount is bounded already, when it is the party's turn. Call from the event loop only.

        `choose` says only then what is to be done, so that what became pointless meanwhile is left out.
        """
        await self._turn(party)
        try:
            work = choose()
        except BaseException:
            self._pass_on()
            raise
        return await self._started(work, after=self._pass_on)

    def close(self) -> None:
        """Wait for running jobs, drop waiting ones."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def _turn(self, party: Hashable) -> None:
        """Wait for a thread that is idle; it is the caller's then."""
        if self._idle:
            self._idle -= 1
            return
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.join(party, ticket)
        try:
            await ticket
        except asyncio.CancelledError:
            if not ticket.cancelled():
                self._pass_on()
            raise

    async def _started(self, work: Callable[[], T], *, after: Callable[[], None]) -> T:
        """Run on the thread that is the caller's; `after` is called on the event loop once it has ended."""
        loop = asyncio.get_running_loop()

        def ended(_: "Future[T]") -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody counts any more
                loop.call_soon_threadsafe(after)

        job = self._executor.submit(work)
        job.add_done_callback(ended)
        return await asyncio.wrap_future(job)

    def _request_ended(self) -> None:
        self._requests -= 1
        self._pass_on()

    def _pass_on(self) -> None:
        """Give an idle thread to whoever's turn it is; who has gone away is passed over."""
        while (ticket := self._turns.next()) is not None:
            if not ticket.done():
                ticket.set_result(None)
                return
        self._idle += 1
