"""Links by which a person can say "this was not me", to be sent with the client's own notice of what was done.

The client asks for a link and sends it. Whoever reports voids what is still good: verifications that are not redeemed,
links, and the sessions that came of them. What was redeemed stays as it was recorded: the client is told, with the
receipt's id. The chain keeps the report for good.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from verify.audit import Event
from verify.casefile import CaseFile, DisputeLink, Subject
from verify.cases import check_owner, find_subject, known_case, revoked, revoked_links
from verify.clients import Client
from verify.errors import Gone, NotFound
from verify.identifiers import Entropy, hash_secret, link_code, new_part, new_secret, parse_code, secret_matches
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
            NotFound: `case_unknown`, `subject_unknown`.
        """
        part, secret = new_part(self.entropy), new_secret(self.entropy)

        def transition(file: CaseFile, now: float) -> Change[IssuedDisputeLink]:
            check_owner(file, client)
            subject = find_subject(file, subject_id)
            link = dispute_link(subject.id, part, secret, now=now)
            event = Event(
                name="dispute.linked", actor=f"client:{client.id}", details={"subject": subject.id, "link": part}
            )
            issued = IssuedDisputeLink(code=link_code(file.case.id, part, secret), expires_at=_time(link.expires_at))
            return Change(after=file.with_(link), event=event, value=issued)

        return await self.store.transact(known_case(case_id), transition)

    async def inspect(self, code: str) -> DisputeView:
        """What the link is about; burns nothing. Raises NotFound `dispute_unknown`, Gone `dispute_expired`."""
        case_id, part, secret = _parsed(code)
        try:
            file, now = await self.store.load(case_id)
        except NotFound:
            raise _unknown() from None
        link, subject = _live(file, part, secret, now)
        return _view(file, subject, link)

    async def report(self, code: str) -> DisputeView:
        """Record that it was not this person. A second report of the same link changes nothing more.

        Raises:
            As `inspect`. StoreUnavailable: nothing was recorded for sure; report again.
        """
        case_id, part, secret = _parsed(code)
        seen = await self.inspect(code)
        if seen.disputed_at is not None:
            return seen

        def transition(file: CaseFile, now: float) -> Change[DisputeView]:
            link, subject = _live(file, part, secret, now)
            disputed = link if link.disputed_at is not None else replace(link, disputed_at=now)
            void = revoked(file, {subject.id})
            after = file.with_(disputed, *void, *revoked_links(file, {subject.id}))
            details: dict[str, str | tuple[str, ...]] = {
                "subject": subject.id,
                "link": part,
                "revoked": tuple(each.id for each in void),
            }
            event = Event(name="verification.disputed", actor=f"subject:{subject.id}", details=details)
            return Change(after=after, event=event, value=_view(after, subject, disputed))

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


def _live(file: CaseFile, part: str, secret: str, now: float) -> tuple[DisputeLink, Subject]:
    link = file.dispute_links.get(part)
    if not secret_matches(secret, link.secret_hash if link else None) or link is None:
        raise _unknown()
    if now >= link.expires_at:
        raise Gone("dispute_expired", "this link is older than 90 days: turn to the registration office")
    return link, file.subjects[link.subject_id]


def _view(file: CaseFile, subject: Subject, link: DisputeLink) -> DisputeView:
    verified = [each for each in file.verifications.values() if each.subject_id == subject.id]
    last = max(verified, key=lambda each: each.verified_at, default=None)
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
