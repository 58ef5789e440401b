"""How far each person got: the newest attempt and link, and what counts of them. For whoever asks again and again.

Of an attempt they hear the outcome, and the reasons that notices tell (`verify.notices`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Literal, TypeVar

from verify.casefile import CaseFile, Invite, InviteState, Session, SessionState, Verification, VerificationState
from verify.standing import is_valid

T = TypeVar("T", Session, Invite, Verification)


class AttemptOutcome(StrEnum):
    """How a live attempt ended: as a session does, or by the passing of time."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REJECTED = "rejected"
    REFERRED = "referred"
    TIMED_OUT = "timed_out"


_TOLD = frozenset({AttemptOutcome.REJECTED, AttemptOutcome.REFERRED})
"""Outcomes whose reason a client is told; that of a retry is between the person and the phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAttempt:
    """The newest live attempt by a link that was not revoked; without outcome while it is under way."""

    outcome: AttemptOutcome | None
    reason: str | None
    """Public code."""
    opened_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LastInvite:
    """The newest link. `expires_at`: of the capture grant once it has one."""

    state: InviteState | Literal["expired"]
    expires_at: float
    attempts_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one person of the roster got; all times are Unix seconds by the store's clock."""

    last_attempt: LastAttempt | None = None
    invite: LastInvite | None = None
    verified_at: float | None = None
    """Of the verification that is valid, or was redeemed."""
    valid_until: float | None = None
    """Until when it can be redeemed; None once it is."""
    receipt: str | None = None
    """Id of what the redemption left."""


def progress(file: CaseFile, *, now: float, epoch: int) -> Mapping[str, Progress]:
    """How far everybody on the roster got at a time, in the store's epoch; by subject id."""
    attempts = _newest(_by_links_in_force(file), attrgetter("opened_at"))
    invites = _newest(file.invites.values(), attrgetter("issued_at"))
    counting = _newest(
        (each for each in file.verifications.values() if _counts(each, now=now, epoch=epoch)), attrgetter("verified_at")
    )
    receipts = {each.verification_id: each.id for each in file.receipts.values()}

    def of(subject_id: str) -> Progress:
        session, invite, counted = attempts.get(subject_id), invites.get(subject_id), counting.get(subject_id)
        receipt = None if counted is None else receipts.get(counted.id)
        return Progress(
            last_attempt=None if session is None else _attempt(session, now),
            invite=None if invite is None else _invite(invite, now),
            verified_at=None if counted is None else counted.verified_at,
            valid_until=None if counted is None or receipt is not None else counted.valid_until,
            receipt=receipt,
        )

    return {subject_id: of(subject_id) for subject_id in file.roster}


def _by_links_in_force(file: CaseFile) -> Iterable[Session]:
    """Not by a link that was revoked: the person may be another since, or has been asked anew."""
    return (each for each in file.sessions.values() if file.invites[each.invite_id].state is not InviteState.REVOKED)


def is_over(session: Session, now: float) -> bool:
    """Whether a session's time has passed without a decision."""
    limit = session.claim_until if session.state is SessionState.OPEN else session.expires_at
    return session.state is not SessionState.FINISHED and now >= limit


def _newest(entities: Iterable[T], when: Callable[[T], float]) -> dict[str, T]:
    """The newest entity of each subject."""
    return {each.subject_id: each for each in sorted(entities, key=when)}


def _counts(verification: Verification, *, now: float, epoch: int) -> bool:
    return verification.state is VerificationState.REDEEMED or is_valid(verification, now=now, epoch=epoch)


def _attempt(session: Session, now: float) -> LastAttempt:
    ended = AttemptOutcome(session.outcome) if session.outcome is not None else None
    outcome = AttemptOutcome.TIMED_OUT if is_over(session, now) else ended
    reason = session.reason if outcome in _TOLD else None
    return LastAttempt(outcome=outcome, reason=reason, opened_at=session.opened_at)


def _invite(invite: Invite, now: float) -> LastInvite:
    until = invite.expires_at if invite.grant_expires_at is None else invite.grant_expires_at
    is_expired = now >= until and invite.state not in {InviteState.REVOKED, InviteState.DECLINED}
    state: InviteState | Literal["expired"] = "expired" if is_expired else invite.state
    return LastInvite(state=state, expires_at=until, attempts_left=invite.attempts_left)
