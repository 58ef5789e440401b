"""Messages to people: invitations, reminders and notices of what was done in their name. Pure rules, no sending.

A message is part of its case file and is stored by the very commit that gives rise to it. One that has become moot
(the person has verified or declined, the link is dead, the case is over) is cancelled by the commit that makes it so;
contact and link are dropped with the end of each message, and what could show whose it was with its person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from verify.backoff import next_wait
from verify.casefile import (
    CaseFile,
    CaseState,
    Invite,
    InviteState,
    Message,
    MessageKind,
    MessageState,
    ReferenceState,
    VerificationState,
)
from verify.identity_documents import CIVIL_TIME

LINK_HOURS = 24
"""An invite's link is good for as long: nobody can be reminded earlier before its end."""

MOST_REMINDERS = 3
"""Of one invite."""

LEAST_GAP_SECONDS = 3600.0
"""Between two messages of one invite: a reminder that would come sooner is left out."""

WAKING_HOURS = (8, 21)
"""In China: nobody is reminded at night. What would fall there comes the evening before."""

RETRY_SECONDS = (10, 60, 300, 900, 1800, 3600, 7200, 14400, 28800)
"""Waits between attempts: ten attempts in some 16 hours, and none once the message is of no use any more."""

RESULT_SECONDS = 3 * 86400.0
"""How long it is tried to tell a person what was done in their name."""

PENDING = frozenset({MessageState.WAITING, MessageState.QUEUED})
USABLE = frozenset({InviteState.ISSUED, InviteState.CONSENTED})
"""States in which an invite's link still leads to the camera."""

EXPIRED = "expired"
"""Why a message is not sent: it could not be before it was of no use any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What came of one attempt to hand a message over. `reason`: why it was not accepted; None if it was."""

    reason: str | None = None
    final: bool = False
    """Whether another attempt is of no use."""
    retry_after: float | None = None
    """Seconds for which the other side asked."""


ACCEPTED = Attempted()


def reminder_times(hours: Sequence[float], invite: Invite) -> tuple[float, ...]:
    """When to remind (Unix seconds): so many hours before the link ends, by day, with time between two messages."""
    times, last = list[float](), invite.issued_at
    for at in sorted(_by_day(invite.expires_at - each * 3600.0) for each in hours):
        if at - last >= LEAST_GAP_SECONDS:
            times.append(at)
            last = at
    return tuple(times)


def _by_day(at: float) -> float:
    local, (morning, night) = datetime.fromtimestamp(at, CIVIL_TIME), WAKING_HOURS
    if morning <= local.hour < night:
        return at
    evening = local.replace(hour=night - 1, minute=0, second=0, microsecond=0)
    return (evening if local.hour >= night else evening - timedelta(days=1)).timestamp()


def after_attempt(message: Message, attempted: Attempted, *, now: float, jitter: float) -> Message:
    """A queued message after an attempt at a time (Unix seconds). `jitter`: 0 to 1, drawn by the caller."""
    tried = replace(message, attempts=message.attempts + 1, reason=attempted.reason)
    if attempted.reason is None:
        return ended(replace(tried, sent_at=now), MessageState.SENT)
    wait = next_wait(RETRY_SECONDS, tried.attempts, jitter=jitter, asked=attempted.retry_after)
    if attempted.final or wait is None or now + wait >= tried.until:
        return ended(tried, MessageState.UNDELIVERABLE)
    return replace(tried, due_at=now + wait)


def undeliverable(message: Message, reason: str) -> Message:
    """A message that is given up without an attempt."""
    return ended(replace(message, reason=reason), MessageState.UNDELIVERABLE)


def ended(message: Message, state: MessageState) -> Message:
    """A message in an end state: contact and link are not needed any more."""
    return replace(message, state=state, due_at=None, to_sealed=b"", code_sealed=b"")


def without_moot(file: CaseFile) -> CaseFile:
    """The file with all messages cancelled that are to no purpose, and nothing left of those to people who are gone."""
    verified = _verified(file) if file.messages else {}
    changed = (_as_it_stands(file, message, verified) for message in file.messages.values())
    return file.with_(*(each for each in changed if each != file.messages[each.id]))


def _as_it_stands(file: CaseFile, message: Message, verified: Mapping[str, float]) -> Message:
    gone = not file.subjects[message.subject_id].id_hash  # erased, or taken off the roster
    if message.state in PENDING and (gone or _is_moot(file, message, verified)):
        message = ended(message, MessageState.CANCELLED)
    return replace(message, to_masked="") if gone else message


def _is_moot(file: CaseFile, message: Message, verified: Mapping[str, float]) -> bool:
    invite, is_over = file.invites[message.invite_id], file.case.state is not CaseState.OPEN
    if message.kind is MessageKind.RESULT:
        never = is_over or invite.state in {InviteState.REVOKED, InviteState.DECLINED}
        return message.state is MessageState.WAITING and never
    is_stuck = file.subjects[message.subject_id].reference_state in {ReferenceState.UNUSABLE, ReferenceState.ERASED}
    has_verified = verified.get(message.subject_id, 0.0) >= invite.issued_at
    return is_over or invite.state not in USABLE or is_stuck or has_verified


def _verified(file: CaseFile) -> Mapping[str, float]:
    """When each subject has last verified, with what counts: at the window too, which leaves their link as it is."""
    good = {VerificationState.ACTIVE, VerificationState.REDEEMED}
    found = [(each.verified_at, each.subject_id) for each in file.verifications.values() if each.state in good]
    return {subject_id: at for at, subject_id in sorted(found)}


def newly_queued(before: CaseFile | None, after: CaseFile) -> tuple[Message, ...]:
    """Messages that a step from one case file to the next has queued."""
    queued = (each for each in after.messages.values() if each.state is MessageState.QUEUED)
    earlier = {} if before is None else before.messages
    return tuple(each for each in queued if each.id not in earlier or earlier[each.id].state is not MessageState.QUEUED)
