"""The outbox: from notices that lie with their cases to deliveries, and from deadlines that passed to expired cases.

Every replica may do all of it at any time: enqueuing the same notice twice changes nothing, and a mark is removed only
if it is still the one that was worked off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from verify.casefile import CaseState
from verify.cases import Cases
from verify.clients import Clients
from verify.connection import Script
from verify.deliveries import Deliveries
from verify.errors import CaseDamaged, NotFound
from verify.store import DEADLINES, PENDING, OnDamage, Store
from verify.webhooks import Endpoint, Webhooks

BATCH = 200
"""Cases that are worked off in one go."""

Mark = tuple[str, str]
"""A case, and from when on something is to be done about it: ms as the store writes them."""

_MARKED = Script.of("""
return table.concat(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2]), ' ')
""")

_ADVANCE = Script.of("""
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1])
end
return 'done'
""")

_UNMARK = Script.of("""
for at = 1, #ARGV, 2 do
    if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[at]) or '-1') == tonumber(ARGV[at + 1]) then
        redis.call('ZREM', KEYS[1], ARGV[at])
    end
end
return 'done'
""")

_MOVE = Script.of("""
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '-1') == tonumber(ARGV[2]) then
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 'done'
""")

LOOK_AGAIN_SECONDS = 3600.0
"""When a case whose deadline was put off is looked at again at the latest: it may have been brought forward since. Also
one whose record cannot be read: it may have been mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Works off what commits have marked. One damaged case keeps no other from its notices."""

    store: Store
    clients: Clients
    cases: Cases
    webhooks: Webhooks
    deliveries: Deliveries
    damaged: OnDamage

    async def work(self, *, now: float) -> None:
        """Expire cases whose deadline has passed, then enqueue all notices that are pending."""
        for case_id, mark in await self._marked(DEADLINES, now):
            try:
                if await self._has_ended(case_id):
                    await self._unmark(DEADLINES, ((case_id, mark),))
                else:
                    await self._look_again(case_id, mark, now=now)
            except CaseDamaged:
                self.damaged(case_id)
                await self._move(case_id, mark, now + LOOK_AGAIN_SECONDS)
        pending = await self._marked(PENDING, now)
        if pending:
            await self._distribute([case_id for case_id, _ in pending], now=now)
            await self._unmark(PENDING, pending)

    async def _has_ended(self, case_id: str) -> bool:
        """Expire a case if it is time to; a mark of one that was never created means nothing."""
        try:
            return await self.cases.expire(case_id) is not CaseState.OPEN
        except NotFound:
            return True

    async def _look_again(self, case_id: str, mark: str, *, now: float) -> None:
        """Move the mark of a case whose deadline was put off; marks before commits only ever move to earlier times."""
        file, _ = await self.store.load(case_id)
        await self._move(case_id, mark, min(file.case.deadline, now + LOOK_AGAIN_SECONDS))

    async def _move(self, case_id: str, mark: str, later: float) -> None:
        await self.store.run(_MOVE, [DEADLINES], [case_id, mark, int(later * 1000) + 1])

    async def _distribute(self, case_ids: Sequence[str], *, now: float) -> None:
        """Enqueue what these cases have to tell: all is asked for together, for a redemption leaves its notice here."""
        endpoints = await self._endpoints()
        told = [int(each or 0) for each in await self.store.ask_each("GET", [_told(each) for each in case_ids])]
        untold = await self.store.notices_each(tuple(zip(case_ids, told, strict=True)))
        for case_id, before, notices in zip(case_ids, told, untold, strict=True):
            for notice in notices:
                for endpoint in endpoints:
                    if endpoint.wants(notice):
                        await self.deliveries.add(endpoint, notice, now=now)
            if notices:
                await self.store.run(_ADVANCE, [_told(case_id)], [before + len(notices)])

    async def _endpoints(self) -> tuple[Endpoint, ...]:
        """Those of clients that have a key which was not revoked."""
        active = {client.id for client in await self.clients.list() if not client.revoked}
        return tuple(endpoint for endpoint in await self.webhooks.all() if endpoint.client in active)

    async def _marked(self, kind: str, now: float) -> tuple[Mark, ...]:
        found = (await self.store.run(_MARKED, [kind], [repr(now * 1000), BATCH])).split()
        return tuple(zip(found[::2], found[1::2], strict=True))

    async def _unmark(self, kind: str, marks: Sequence[Mark]) -> None:
        await self.store.run(_UNMARK, [kind], [part for mark in marks for part in mark])


def _told(case_id: str) -> str:
    """How many notices of a case were distributed; with the case's hash tag."""
    return f"{{{case_id}}}:told"
