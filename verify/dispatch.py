"""Dispatch: messages that are due, one process at a time, and what came of each. At least once; once as a rule.

A message that is due is leased for a minute, by moving its mark in one script: if its process dies, another sends it
again, under the same id, by which the gateway can tell. What came of an attempt is a transition of its case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from verify.audit import Detail, Event
from verify.casefile import Case, CaseFile, Message, MessageState, Subject
from verify.connection import Script
from verify.errors import Gone, NotFound
from verify.identifiers import parse_code
from verify.messages import EXPIRED, Attempted, after_attempt, undeliverable
from verify.messenger import code_binding, contact_binding
from verify.store import MESSAGES, Change, Store
from verify.vault import Vault

LEASE_SECONDS = 60.0

EVENTS: Mapping[MessageState, str] = {
    MessageState.QUEUED: "message.delayed",
    MessageState.SENT: "message.sent",
    MessageState.UNDELIVERABLE: "message.undeliverable",
}
"""What an attempt is called in the audit, by how the message stands after it."""

_LEASE = Script.of("""
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, mark in ipairs(due) do
    redis.call('ZADD', KEYS[1], ARGV[2], mark)
end
return table.concat(due, ' ')
""")

_MOVE = Script.of("""
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '-1') ~= tonumber(ARGV[2]) then
    return 'lost'
end
if ARGV[3] == '' then
    redis.call('ZREM', KEYS[1], ARGV[1])
else
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 'done'
""")


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that this process alone may send now. `until_ms`: when others may."""

    mark: str
    until_ms: int

    @property
    def place(self) -> tuple[str, str]:
        """Ids of case and message."""
        case_id, _, message_id = self.mark.partition(":")
        return case_id, message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message with what is sealed of it, in clear. `link_until`: Unix seconds at which its link ends."""

    case: Case
    subject: Subject
    message: Message
    to: str = field(repr=False)
    code: str = field(repr=False)
    link_until: float


class _SupersededError(Exception):
    """The message has changed since it was leased: what came of the attempt is not told any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Leases messages and records what came of them. Every method raises StoreUnavailable."""

    store: Store
    vault: Vault

    async def lease(self, *, now: float, limit: int) -> tuple[Leased, ...]:
        """Up to `limit` messages that are due; nobody else gets them for a minute."""
        until = _ms(now + LEASE_SECONDS)
        found = await self.store.run(_LEASE, [MESSAGES], [_ms(now), until, limit])
        return tuple(Leased(mark, until) for mark in found.split())

    async def open(self, leased: Leased) -> Outgoing | None:
        """The message in clear; None if there is nothing to send (any more), which is then forgotten.

        Raises:
            Unavailable: `key_damaged`.
        """
        case_id, message_id = leased.place
        file, now = await self._load(case_id)
        message = file.messages.get(message_id) if file is not None else None
        if file is None or message is None or message.state is not MessageState.QUEUED:
            await self._move(leased, None)
            return None
        if message.due_at is not None and message.due_at > now:  # its attempt was recorded, its mark was not moved
            await self._move(leased, message.due_at)
            return None
        if now >= message.until:
            await self.give_up(leased, message, EXPIRED)
            return None
        try:
            return self._opened(file, message)
        except Gone:  # its person was erased this moment: that commit will cancel it
            return None

    async def settle(self, leased: Leased, message: Message, attempted: Attempted, *, jitter: float) -> Message:
        """Record what came of an attempt; the message after it."""
        now = await self.store.now()
        after = after_attempt(message, attempted, now=now, jitter=jitter)
        await self._record(leased, message, after)
        return after

    async def give_up(self, leased: Leased, message: Message, reason: str) -> None:
        """Record that a message is not sent at all, and why."""
        await self._record(leased, message, undeliverable(message, reason))

    async def _load(self, case_id: str) -> tuple[CaseFile | None, float]:
        """A mark may be of a case that was never created."""
        try:
            return await self.store.load(case_id)
        except NotFound:
            return None, 0.0

    def _opened(self, file: CaseFile, message: Message) -> Outgoing:
        case, subject = file.case, file.subjects[message.subject_id]
        code = self._open(case, message.code_sealed, code_binding(subject.id, message.id))
        parsed = parse_code(code)
        part = parsed[1] if parsed is not None else ""
        link = file.invites.get(part) or file.dispute_links[part]
        return Outgoing(
            case=case,
            subject=subject,
            message=message,
            to=self._open(case, message.to_sealed, contact_binding(subject.id, message.id)),
            code=code,
            link_until=link.expires_at,
        )

    def _open(self, case: Case, sealed: bytes, bound_to: tuple[str, ...]) -> str:
        return self.vault.open(sealed, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=bound_to).decode()

    async def _record(self, leased: Leased, before: Message, after: Message) -> None:
        def transition(file: CaseFile, _: float) -> Change[None]:
            if file.messages[before.id] != before:
                raise _SupersededError
            details: dict[str, Detail] = {"message": after.id, "reason": after.reason or ""}
            event = Event(name=EVENTS[after.state], actor="service", details=details)
            return Change(after=file.with_(after), event=event, value=None)

        try:
            await self.store.transact(leased.place[0], transition)
        except _SupersededError:
            await self._move(leased, None)
        else:
            await self._move(leased, after.due_at)

    async def _move(self, leased: Leased, due_at: float | None) -> None:
        """Move the mark to when the message is due, or forget it, if nobody else has leased it since."""
        due: str | int = "" if due_at is None else _ms(due_at)
        await self.store.run(_MOVE, [MESSAGES], [leased.mark, leased.until_ms, due])


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
