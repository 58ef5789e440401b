"""Deliveries: one notice on its way to one endpoint. At least once always; once when nothing goes wrong.

A delivery that is due is leased to one replica for a minute: if that replica dies, another tries again. All keys share
one hash tag, so that each step is one script also on a cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from http import HTTPStatus
from types import MappingProxyType
from typing import Literal

import msgspec

from verify.backoff import next_wait
from verify.connection import Script
from verify.notices import Notice
from verify.store import Store
from verify.webhooks import Endpoint

RETRY_SECONDS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Waits between attempts, as Standard Webhooks proposes: ten attempts in a little more than three days."""

LEASE_SECONDS = 60.0
NOBODY_IS_BUSY: Mapping[str, int] = MappingProxyType({})
KEPT_SECONDS = 30 * 86400

_DUE = "{webhooks}:due"
"""Endpoints by when their next delivery is due (ms); each has a queue of its own, so that none waits behind another."""

_NOTE_NEXT = """
local function note_next(queue, due, endpoint)
    local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
    if first[1] then
        redis.call('ZADD', due, first[2], endpoint)
    else
        redis.call('ZREM', due, endpoint)
    end
end
"""

_ADD = Script.of(
    _NOTE_NEXT
    + """
if ARGV[6] == 'once' and redis.call('EXISTS', KEYS[1]) == 1 then
    return 'known'
end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
note_next(KEYS[2], KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', tonumber(ARGV[4]) - tonumber(ARGV[5]) * 1000)
redis.call('EXPIRE', KEYS[4], ARGV[5])
return 'added'
"""
)

_LEASE = Script.of(
    _NOTE_NEXT
    + """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[4])
for _, id in ipairs(due) do
    redis.call('ZADD', KEYS[1], ARGV[3], id)
end
note_next(KEYS[1], KEYS[2], ARGV[1])
return table.concat(due, ' ')
"""
)

_SETTLE = Script.of(
    _NOTE_NEXT
    + """
if ARGV[3] ~= '' then
    if redis.call('GET', KEYS[1]) ~= ARGV[3] then
        return 'lost'
    end
    redis.call('SET', KEYS[1], ARGV[4], 'KEEPTTL')
end
if ARGV[5] == '' then
    redis.call('ZREM', KEYS[2], ARGV[2])
else
    redis.call('ZADD', KEYS[2], ARGV[5], ARGV[2])
end
note_next(KEYS[2], KEYS[3], ARGV[1])
return 'settled'
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one POST: the status, or a code that says why there is none."""

    at: float
    seconds: float
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notice on its way to an endpoint; `next_at` (Unix seconds) while it is pending."""

    id: str
    endpoint: str
    notice: Notice
    state: Literal["pending", "delivered", "failed", "dropped"]
    attempts: int
    next_at: float | None
    last: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that this process may try now, and its form in the store when it was leased."""

    delivery: Delivery
    stored: bytes


def after_attempt(delivery: Delivery, attempt: Attempt, *, jitter: float) -> Delivery:
    """The delivery after an attempt. `jitter`: 0 to 1, drawn by the caller."""
    tried = replace(delivery, attempts=delivery.attempts + 1, last=attempt)
    if attempt.status is not None and HTTPStatus(200) <= attempt.status < HTTPStatus.MULTIPLE_CHOICES:
        return replace(tried, state="delivered", next_at=None)
    wait = next_wait(RETRY_SECONDS, tried.attempts, jitter=jitter, asked=_asked_wait(attempt))
    if attempt.status == HTTPStatus.GONE or wait is None:
        return replace(tried, state="failed", next_at=None)
    return replace(tried, next_at=attempt.at + wait)


def _asked_wait(attempt: Attempt) -> float | None:
    """What a receiver that is overloaded asked for."""
    overloaded = attempt.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return attempt.retry_after if overloaded else None


def delivery_id(endpoint_id: str, notice_id: str) -> str:
    """The same for every try to enqueue the same notice, so that none is enqueued twice."""
    return "dlv_" + sha256(f"{endpoint_id}\n{notice_id}".encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The queue and the log of all deliveries."""

    store: Store

    async def add(self, endpoint: Endpoint, notice: Notice, *, now: float, again: bool = False) -> Delivery:
        """Enqueue a notice for an endpoint, due now; one that is known already only if it is to go out again."""
        delivery = Delivery(
            id=delivery_id(endpoint.id, notice.id),
            endpoint=endpoint.id,
            notice=notice,
            state="pending",
            attempts=0,
            next_at=now,
        )
        content = msgspec.json.encode(delivery)
        how = "always" if again else "once"
        await self.store.run(
            _ADD,
            [_content(delivery.id), _queue(endpoint.id), _DUE, _log(endpoint.id)],
            [endpoint.id, delivery.id, content, _ms(now), KEPT_SECONDS, how],
        )
        return delivery

    async def lease(
        self, *, now: float, limit: int, each: int, busy: Mapping[str, int] = NOBODY_IS_BUSY
    ) -> tuple[Leased, ...]:
        """Up to `limit` deliveries that are due; nobody else gets them for a minute.

        Args:
            now: Unix seconds.
            limit: of all endpoints together.
            each: of one endpoint, with those that are `busy` there already.
            busy: how many POSTs are under way, by endpoint.
        """
        leased = list[Leased]()
        for endpoint in await self.store.ask("ZRANGE", _DUE, "-inf", _ms(now), "BYSCORE"):
            most = min(each - busy.get(endpoint.decode(), 0), limit - len(leased))
            if most > 0:
                leased += await self._lease(endpoint.decode(), now=now, most=most)
        return tuple(leased)

    async def _lease(self, endpoint_id: str, *, now: float, most: int) -> list[Leased]:
        keys = [_queue(endpoint_id), _DUE]
        found = await self.store.run(_LEASE, keys, [endpoint_id, _ms(now), _ms(now + LEASE_SECONDS), most])
        leased = list[Leased]()
        for identifier in found.split():
            stored = await self.store.ask("GET", _content(identifier))
            if stored is None:  # kept for its time, and gone
                await self._settle(endpoint_id, identifier, before=b"", after=b"", due="")
            else:
                leased.append(Leased(msgspec.json.decode(stored, type=Delivery), stored))
        return leased

    async def settle(self, leased: Leased, after: Delivery) -> None:
        """Record what became of a leased delivery; nothing if it was enqueued again in the meantime."""
        due: str | int = "" if after.next_at is None else _ms(after.next_at)
        content = msgspec.json.encode(after)
        await self._settle(after.endpoint, after.id, before=leased.stored, after=content, due=due)

    async def _settle(self, endpoint_id: str, identifier: str, *, before: bytes, after: bytes, due: str | int) -> None:
        keys = [_content(identifier), _queue(endpoint_id), _DUE]
        await self.store.run(_SETTLE, keys, [endpoint_id, identifier, before, after, due])

    async def of(self, endpoint: Endpoint, *, limit: int) -> tuple[Delivery, ...]:
        """The newest deliveries to an endpoint, newest first."""
        found = await self.store.ask("ZRANGE", _log(endpoint.id), 0, limit - 1, "REV")
        contents = [await self.store.ask("GET", _content(identifier.decode())) for identifier in found]
        return tuple(msgspec.json.decode(content, type=Delivery) for content in contents if content is not None)


def _content(identifier: str) -> str:
    return f"{{webhooks}}:delivery:{identifier}"


def _queue(endpoint_id: str) -> str:
    return f"{{webhooks}}:queue:{endpoint_id}"


def _log(endpoint_id: str) -> str:
    return f"{{webhooks}}:log:{endpoint_id}"


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
