"""The worker that delivers notices: a task of the service, one in each replica."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from time import monotonic
from typing import Protocol

from structlog.stdlib import BoundLogger

from api.metrics import Metrics
from api.outbound import Answered, Outbound
from verify.deliveries import Attempt, Deliveries, Leased, after_attempt
from verify.outbox import Outbox
from verify.store import Store
from verify.webhooks import Webhooks

TURN_SECONDS = 1.0
"""Pause between two turns that had nothing to do."""

AT_ONCE = 16
"""POSTs under way at once; no more are leased than there are places."""

AT_ONCE_EACH = 4
"""POSTs under way to one webhook: one that answers slowly must not take all places from the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWorker:
    """Turns what happened into deliveries, and tries those that are due. `jitter` draws from 0 to 1."""

    store: Store
    outbox: Outbox
    webhooks: Webhooks
    deliveries: Deliveries
    outbound: Outbound
    jitter: Callable[[], float]
    metrics: Metrics
    log: BoundLogger

    async def turn(self) -> int:
        """Do what is due now, and wait for it; how many deliveries were tried."""
        leased = await self._lease(Counter())
        await asyncio.gather(*(self._try(each) for each in leased))
        return len(leased)

    async def run(self) -> None:
        """Turn after turn, without waiting for slow receivers. What fails here is leased again in a minute."""
        busy = Counter[str]()
        async with asyncio.TaskGroup() as trying:
            while True:
                leased: tuple[Leased, ...] = ()
                with self._logged():
                    leased = await self._lease(busy)
                for each in leased:
                    busy[each.delivery.endpoint] += 1
                    trying.create_task(self._take(each, busy))
                await asyncio.sleep(0 if leased else TURN_SECONDS)

    async def _lease(self, busy: Counter[str]) -> tuple[Leased, ...]:
        await self.outbox.work(now=await self.store.now())
        limit = AT_ONCE - busy.total()
        return await self.deliveries.lease(now=await self.store.now(), limit=limit, each=AT_ONCE_EACH, busy=busy)

    async def _take(self, leased: Leased, busy: Counter[str]) -> None:
        """Try a delivery, then give its place back."""
        try:
            with self._logged():
                await self._try(leased)
        finally:
            busy[leased.delivery.endpoint] -= 1

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """A failure is logged and ends here: the next turn comes, and leases what was not settled."""
        try:
            yield
        except Exception:
            self.log.exception("deliveries_failed")

    async def _try(self, leased: Leased) -> None:
        with self.metrics.traces.work("webhook_delivery"):
            await self._attempt(leased)

    async def _attempt(self, leased: Leased) -> None:
        endpoint = await self.webhooks.find(leased.delivery.endpoint)
        if endpoint is None or endpoint.state == "disabled":
            await self.deliveries.settle(leased, replace(leased.delivery, state="dropped", next_at=None))
            return
        started, now = monotonic(), await self.store.now()
        request = self.webhooks.signed(endpoint, leased.delivery.notice, now=now)
        answered = await self.outbound.post(request.url, headers=request.headers, body=request.body)
        attempt = Attempt(
            at=now,
            seconds=monotonic() - started,
            status=answered.status,
            error=answered.error,
            retry_after=answered.retry_after,
        )
        after = after_attempt(leased.delivery, attempt, jitter=self.jitter())
        if answered.status == HTTPStatus.GONE:
            await self.webhooks.disable(endpoint)
        await self.deliveries.settle(leased, after)
        self.metrics.deliveries.labels(state=after.state).inc()
        self.metrics.traces.note(state=after.state, **_outcome(answered))


def _outcome(answered: Answered) -> dict[str, str | int]:
    """A status, or a code that says why there is none; never where the POST went."""
    return {"code": answered.error or "none"} if answered.status is None else {"status": answered.status}


class Worker(Protocol):
    """Whoever delivers something."""

    async def run(self) -> None:
        """Turn after turn, until it is cancelled."""


@asynccontextmanager
async def delivering(worker: Worker) -> AsyncIterator[None]:
    """Deliver in the background. What is under way when it ends is tried again by whoever leases it next."""
    task = asyncio.create_task(worker.run(), name=type(worker).__name__)
    try:
        yield
    finally:
        while not task.done():  # a library may swallow a cancellation, as `asyncio.wait_for` does before Python 3.12
            task.cancel()
            await asyncio.wait([task], timeout=0.2)
