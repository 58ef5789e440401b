"""Threads for work off the event loop, with fair turns among those who wait."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from api.turns import Turns

T = TypeVar("T")


class FairThreads:
    """Runs functions on so many threads. Who waits gets turns, party by party (`api.turns`). For one event loop."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._idle = threads
        self._turns: Turns[asyncio.Future[None]] = Turns()

    async def run_in_turn(self, party: Hashable, choose: Callable[[], Callable[[], T]]) -> T:
        """Run work whose amount is bounded already, when it is the party's turn. Call from the event loop only.

        `choose` says only then what is to be done, so that what became pointless meanwhile is left out. A caller that
        is cancelled leaves a running job to its end.
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

    def _pass_on(self) -> None:
        """Give an idle thread to whoever's turn it is; who has gone away is passed over."""
        while (ticket := self._turns.next()) is not None:
            if not ticket.done():
                ticket.set_result(None)
                return
        self._idle += 1
