"""Notices: what a client is told of its cases, by webhook or event stream. Ids, states, codes and times only.

A notice is derived from what changed in the case file, not from who changed it, and is stored by the same commit: no
change can go untold, and nothing is told that did not happen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from verify.casefile import (
    CaseFile,
    CaseState,
    InviteState,
    MessageState,
    Receipt,
    ReferenceState,
    Session,
    Subject,
    Verification,
    VerificationState,
)
from verify.former import is_present, receipts_behind
from verify.identifiers import part_of
from verify.reference_contract import OUTDATED

CATALOGUE: Mapping[str, str] = {
    "case.opened": "a case was opened",
    "case.completed": "as many people are redeemed as the case's rule needs",
    "case.expired": "the deadline passed before that",
    "case.cancelled": "the client cancelled the case; `reason` says why",
    "subject.consented": "a person agreed and confirmed the intent",
    "subject.declined": "a person declined; the ID photo is erased",
    "subject.erased": "a person was erased by the operator, for good; the case cannot go on with this entry",
    "subject.verified": "a person is verified; a token can be minted",
    "subject.rejected": "an attempt was rejected; `reason` is the public code",
    "subject.referred": "an attempt could not be decided: the person should come to the window",
    "reference.delayed": "the authority with the ID photo does not answer; it is asked again when the person goes on",
    "reference.unusable": "the ID photo cannot be used; `reason` says why",
    "token.redeemed": "a person's token was redeemed; `receipt` names the receipt",
    "verification.revoked": "a verification is void",
    "subject.disputed": "a person reported that it was not they; `receipt` names what was redeemed already",
    "subject.former_disputed": "the same of a person in whose place another stands now, whom it does not touch",
    "message.sent": "a message to a person was accepted by the gateway or mail server",
    "message.undeliverable": "a message to a person could not be sent and is given up; `reason` says why",
}
"""Type of notice → when it is sent."""

PING = "webhook.test"
"""Type of the notice that tests an endpoint; it concerns no case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened. `at`: Unix seconds by the store's clock."""

    id: str
    type: str
    client: str
    mode: str
    at: float
    data: dict[str, str]

    def payload(self) -> bytes:
        """The JSON that is sent; the same for every delivery of this notice."""
        timestamp = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return msgspec.json.encode({"id": self.id, "type": self.type, "timestamp": timestamp, "data": self.data})


def notices_between(before: CaseFile | None, after: CaseFile, *, at: float) -> tuple[Notice, ...]:
    """What a client is told of the step from one case file to the next. Ids are the same if the step is repeated."""
    case = after.case
    common = {"case": case.id, "case_state": case.state.value, "mode": case.mode}
    return tuple(
        Notice(
            id=f"evt_{part_of(case.id)}_{after.entries}_{number}",
            type=kind,
            client=case.client,
            mode=case.mode,
            at=at,
            data={**common, **details},
        )
        for number, (kind, details) in enumerate(_happened(before, after))
    )


def encode_notice(notice: Notice) -> bytes:
    """Its form in the store."""
    return msgspec.json.encode(notice)


def decode_notice(content: bytes) -> Notice:
    """A notice from the store."""
    return msgspec.json.decode(content, type=Notice)


_Happened = Iterator[tuple[str, dict[str, str]]]


def _happened(before: CaseFile | None, after: CaseFile) -> _Happened:
    """People first, then the case: whoever hears of the end has heard of what led to it.

    What a step leaves alone is the very same mapping after it.
    """
    if before is None:
        yield "case.opened", {}
        return
    if after.invites is not before.invites:
        yield from _of_invites(before, after)
    if after.subjects is not before.subjects:
        yield from _of_references(before, after)
        yield from _of_erasures(before, after)
    if after.sessions is not before.sessions:
        for session in after.sessions.values():
            yield from _of_session(before.sessions.get(session.id), session)
    if after.verifications is not before.verifications:
        for verification in after.verifications.values():
            yield from _of_verification(before.verifications.get(verification.id), verification, after)
    if after.dispute_links is not before.dispute_links:
        yield from _of_disputes(before, after)
    if after.messages is not before.messages:
        yield from _of_messages(before, after)
    yield from _of_case(before, after)


def _of_invites(before: CaseFile, after: CaseFile) -> _Happened:
    for invite in after.invites.values():
        earlier = before.invites.get(invite.id)
        subject = {"subject": invite.subject_id}
        if invite.consent is not None and (earlier is None or earlier.consent is None):
            yield "subject.consented", subject
        if invite.state is InviteState.DECLINED and (earlier is None or earlier.state is not InviteState.DECLINED):
            yield "subject.declined", subject


def _of_references(before: CaseFile, after: CaseFile) -> _Happened:
    for subject in after.subjects.values():
        earlier = before.subjects.get(subject.id)
        was_unusable = earlier is not None and earlier.reference_state is ReferenceState.UNUSABLE
        if subject.reference_state is ReferenceState.UNUSABLE and not was_unusable:
            yield "reference.unusable", {"subject": subject.id, "reason": subject.reference_reason or ""}
        if _is_outdated(subject) and (earlier is None or not _is_outdated(earlier)):
            yield "reference.unusable", {"subject": subject.id, "reason": subject.reference_reason or ""}
        if _is_delayed(subject) and (earlier is None or not _is_delayed(earlier)):
            yield "reference.delayed", {"subject": subject.id, "reason": subject.reference_reason or ""}


def _of_erasures(before: CaseFile, after: CaseFile) -> _Happened:
    """Not of whom the client takes off the roster itself, nor of everybody when a case is erased as a whole."""
    if not after.case.wrapped_key:
        return
    for subject in after.roster.values():
        earlier = before.subjects.get(subject.id)
        if earlier is not None and earlier.id_hash and not subject.id_hash:
            yield "subject.erased", {"subject": subject.id}


def _is_outdated(subject: Subject) -> bool:
    return subject.reference_state is ReferenceState.TEMPLATE and subject.reference_reason == OUTDATED


def _is_delayed(subject: Subject) -> bool:
    return subject.reference_state is ReferenceState.AWAITED and subject.reference_reason is not None


def _of_session(earlier: Session | None, session: Session) -> _Happened:
    """Accepted sessions are told by their verification; a retry is between the person and the phone."""
    ended = earlier is None or earlier.outcome != session.outcome
    if ended and session.outcome in {"rejected", "referred"}:
        details = {"subject": session.subject_id, "session": session.id, "reason": session.reason or ""}
        yield f"subject.{session.outcome}", details


def _of_verification(earlier: Verification | None, verification: Verification, after: CaseFile) -> _Happened:
    details = {"subject": verification.subject_id, "verification": verification.id}
    if earlier is None:
        yield "subject.verified", details
        return
    if verification.state is earlier.state:
        return
    if verification.state is VerificationState.REDEEMED:
        yield "token.redeemed", {**details, "receipt": _receipt_of(verification, after).id}
    if verification.state is VerificationState.REVOKED:
        yield "verification.revoked", details


def _receipt_of(verification: Verification, after: CaseFile) -> Receipt:
    return next(each for each in after.receipts.values() if each.verification_id == verification.id)


def _of_disputes(before: CaseFile, after: CaseFile) -> _Happened:
    for link in after.dispute_links.values():
        earlier = before.dispute_links.get(link.id)
        if link.disputed_at is not None and (earlier is None or earlier.disputed_at is None):
            kind = "subject.disputed" if is_present(after, link) else "subject.former_disputed"
            redeemed = receipts_behind(after, link)
            yield kind, {"subject": link.subject_id, "receipt": redeemed[-1].id if redeemed else ""}


def _of_messages(before: CaseFile, after: CaseFile) -> _Happened:
    """How a message ended, and for whom; never to which contact."""
    for message in after.messages.values():
        earlier = before.messages.get(message.id)
        if earlier is not None and earlier.state is message.state:
            continue
        details = {"subject": message.subject_id, "message": message.id, "kind": message.kind.value}
        if message.state is MessageState.SENT:
            yield "message.sent", details
        if message.state is MessageState.UNDELIVERABLE:
            yield "message.undeliverable", {**details, "reason": message.reason or ""}


def _of_case(before: CaseFile, after: CaseFile) -> _Happened:
    if after.case.state is not before.case.state and after.case.state is not CaseState.OPEN:
        reason = {"reason": after.case.reason} if after.case.reason else {}
        yield f"case.{after.case.state.value}", reason
