"""Links by which a person can say "this was not me", to be sent with the client's own notice of what was done.

The client asks for a link and sends it. Whoever reports voids what is still good: verifications that are not redeemed,
links, and the sessions that came of them. What was redeemed stays as it was recorded: the client is told, with the
receipt's id. The chain keeps the report for good. A link is the person's to whom it was sent, and not their place's on
the roster: once another stands there, it tells and touches nothing of the other (`verify.former`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from verify.audit import Detail, Event
from verify.casefile import CaseFile, DisputeLink
from verify.cases import check_owner, find_subject, known_case, revoked, revoked_links
from verify.clients import Client
from verify.errors import Gone, NotFound
from verify.former import is_present, receipts_behind, told_of, verifications_behind
from verify.identifiers import Entropy, hash_secret, link_code, new_part, new_secret, parse_code, secret_matches
from verify.standing import check_kept
from verify.statements import Statement, confirmed_statement
from verify.store import Change, Store

T = TypeVar("T")

LINK_SECONDS = 90 * 86400.0
"""People who are robbed of their name notice late; what is redeemed is kept anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedDisputeLink:
    """A new link. `code` is shown this once."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeView:
    """What the person sees: who did what in their name. `verified_at`: None if nobody was verified as them."""

    requester: str
    action: str
    role: str
    name_masked: str
    intent: Statement
    verified_at: datetime | None
    disputed_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputes:
    """Issues the links and takes the reports."""

    store: Store
    entropy: Entropy

    async def issue(self, client: Client, case_id: str, subject_id: str) -> IssuedDisputeLink:
        """A link for a subject's notice; earlier ones stay good, as notices may be sent twice.

        Raises:
            NotFound: `case_unknown`, `subject_unknown`. Gone: `content_erased`.
        """
        part, secret = new_part(self.entropy), new_secret(self.entropy)

        def transition(file: CaseFile, now: float) -> Change[IssuedDisputeLink]:
            check_owner(file, client)
            subject = find_subject(file, subject_id)
            check_kept(subject)
            link = dispute_link(subject.id, part, secret, now=now)
            event = Event(
                name="dispute.linked", actor=f"client:{client.id}", details={"subject": subject.id, "link": part}
            )
            issued = IssuedDisputeLink(code=link_code(file.case.id, part, secret), expires_at=_time(link.expires_at))
            return Change(after=file.with_(link), event=event, value=issued)

        return await self.store.transact(known_case(case_id), transition)

    async def inspect(self, code: str) -> DisputeView:
        """What the link is about; burns nothing.

        Raises:
            NotFound: `dispute_unknown`. Gone: `dispute_expired`, `content_erased` with the person or the case.
        """
        case_id, part, secret = _parsed(code)
        try:
            file, now = await self.store.load(case_id)
        except NotFound:
            raise _unknown() from None
        return _view(file, _live(file, part, secret, now))

    async def report(self, code: str) -> DisputeView:
        """Record that it was not this person. A second report of the same link changes nothing more.

        Of a person in whose place another stands now it is recorded all the same, and touches nobody.

        Raises:
            As `inspect`. StoreUnavailable: nothing was recorded for sure; report again.
        """
        case_id, part, secret = _parsed(code)
        seen = await self.inspect(code)
        if seen.disputed_at is not None:
            return seen

        def transition(file: CaseFile, now: float) -> Change[DisputeView]:
            link = _live(file, part, secret, now)
            disputed = link if link.disputed_at is not None else replace(link, disputed_at=now)
            touched = {link.subject_id} if is_present(file, link) else set[str]()
            void = revoked(file, touched)
            after = file.with_(disputed, *void, *revoked_links(file, touched))
            details: dict[str, Detail] = {
                "subject": link.subject_id,
                "link": part,
                "person": "present" if touched else "former",
                "receipts": tuple(each.id for each in receipts_behind(file, link)),
                "revoked": tuple(each.id for each in void),
            }
            event = Event(name="verification.disputed", actor=f"subject:{link.subject_id}", details=details)
            return Change(after=after, event=event, value=_view(after, disputed))

        return await self._transact(case_id, transition)

    async def _transact(self, case_id: str, transition: Callable[[CaseFile, float], Change[T]]) -> T:
        try:
            return await self.store.transact(case_id, transition, durable=True)
        except NotFound:
            raise _unknown() from None


def dispute_link(subject_id: str, part: str, secret: str, *, now: float) -> DisputeLink:
    """A new link of a subject, under an id and a secret that were drawn for it."""
    return DisputeLink(
        id=part, subject_id=subject_id, secret_hash=hash_secret(secret), issued_at=now, expires_at=now + LINK_SECONDS
    )


def _parsed(code: str) -> tuple[str, str, str]:
    parsed = parse_code(code)
    if parsed is None:
        raise _unknown()
    return parsed


def _live(file: CaseFile, part: str, secret: str, now: float) -> DisputeLink:
    link = file.dispute_links.get(part)
    if not secret_matches(secret, link.secret_hash if link else None) or link is None:
        raise _unknown()
    if now >= link.expires_at:
        raise Gone("dispute_expired", "this link is older than 90 days: turn to the registration office")
    if not file.subjects[link.subject_id].id_hash:
        raise Gone("content_erased", "what this was about was erased for good: turn to the registration office")
    return link


def _view(file: CaseFile, link: DisputeLink) -> DisputeView:
    subject = told_of(file, link)
    last = max(verifications_behind(file, link), key=lambda each: each.verified_at, default=None)
    return DisputeView(
        requester=file.case.client_name,
        action=file.case.action,
        role=subject.role,
        name_masked=subject.name_masked,
        intent=confirmed_statement(file.case, subject, None if last is None else last.intent_sha256),
        verified_at=None if last is None else _time(last.verified_at),
        disputed_at=None if link.disputed_at is None else _time(link.disputed_at),
        expires_at=_time(link.expires_at),
    )


def _unknown() -> NotFound:
    return NotFound("dispute_unknown", "this link is not known: check that it is complete, or turn to the office")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
