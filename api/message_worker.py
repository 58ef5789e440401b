"""The worker that sends messages to people: a task of the service, one in each replica."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from api.metrics import Metrics
from api.senders import Pretended, Sender
from verify.casefile import Channel, MessageKind
from verify.contact_limits import ContactLimits
from verify.contacts import Contact
from verify.dispatch import Dispatch, Leased, Outgoing
from verify.errors import Limited
from verify.message_texts import Letter, letter
from verify.messages import Attempted
from verify.store import Store

TURN_SECONDS = 1.0
"""Pause between two turns that had nothing to do."""

AT_ONCE = 16
"""Messages under way at once; no more are leased than there are places."""

NOT_CONFIGURED = Attempted(reason="not_configured")
"""The operator has taken the channel away since the message was queued: it may come back."""

PRETENDED = Pretended()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWorker:
    """Sends what is due. `link_url`, `report_url`: pages that links lead to; `jitter` draws from 0 to 1."""

    store: Store
    dispatch: Dispatch
    limits: ContactLimits
    senders: Mapping[Channel, Sender]
    link_url: str
    report_url: str
    jitter: Callable[[], float]
    metrics: Metrics
    log: BoundLogger

    async def turn(self) -> int:
        """Send what is due now, and wait for it; how many messages were leased."""
        leased = await self.dispatch.lease(now=await self.store.now(), limit=AT_ONCE)
        await asyncio.gather(*(self._send(each) for each in leased))
        return len(leased)

    async def run(self) -> None:
        """Turn after turn, without waiting for slow gateways. What fails here is leased again in a minute."""
        under_way = set[asyncio.Task[None]]()
        async with asyncio.TaskGroup() as sending:
            while True:
                leased: tuple[Leased, ...] = ()
                with self._logged():
                    limit = AT_ONCE - len(under_way)
                    leased = await self.dispatch.lease(now=await self.store.now(), limit=limit) if limit else ()
                for each in leased:
                    task = sending.create_task(self._take(each))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                await asyncio.sleep(0 if leased else TURN_SECONDS)

    async def _take(self, leased: Leased) -> None:
        with self._logged():
            await self._send(leased)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """A failure is logged, by type and place, and ends here."""
        try:
            yield
        except Exception:
            self.log.exception("messages_failed")

    async def _send(self, leased: Leased) -> None:
        outgoing = await self.dispatch.open(leased)
        if outgoing is None:
            return
        message = outgoing.message
        if message.kind is MessageKind.REMINDER and not await self._has_place(outgoing):
            await self.dispatch.give_up(leased, message, "contact_limited")
            return
        sender = self.senders.get(message.channel) if outgoing.case.mode == "live" else PRETENDED
        now = await self.store.now()
        attempted = NOT_CONFIGURED if sender is None else await sender.send(self._letter(outgoing), now=now)
        after = await self.dispatch.settle(leased, message, attempted, jitter=self.jitter())
        self.metrics.messages.labels(channel=message.channel, state=after.state.value).inc()

    async def _has_place(self, outgoing: Outgoing) -> bool:
        """Invitations have taken theirs when they were asked for; what was done in a person's name is always told."""
        message, mode = outgoing.message, outgoing.case.mode
        contact = Contact(channel=message.channel, to=outgoing.to)
        try:
            await self.limits.take(contact, message.id, mode=mode, now=await self.store.now())
        except Limited:
            return False
        return True

    def _letter(self, outgoing: Outgoing) -> Letter:
        page = self.report_url if outgoing.message.kind is MessageKind.RESULT else self.link_url
        return letter(
            outgoing.case,
            outgoing.subject,
            outgoing.message,
            to=outgoing.to,
            link=f"{page}#{outgoing.code}",
            until=outgoing.link_until,
        )
