"""Invites: the single-use link that brings a subject to the camera, by way of consent and intent."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Literal, TypeVar

from models.errors import FaceError, ImageError
from verify.actions import ACTIONS, ROLES
from verify.asking_again import require_comparable
from verify.audit import Detail, Event
from verify.casefile import (
    Case,
    CaseFile,
    Consent,
    Invite,
    InviteState,
    Language,
    Message,
    ReferenceState,
    Subject,
    Words,
)
from verify.cases import check_open, check_owner, find_subject, known_case
from verify.clients import Client
from verify.deputies import check_appointed, held_appointments
from verify.errors import Conflict, Gone, Invalid, NotFound, Refused, Unavailable
from verify.identifiers import (
    Entropy,
    hash_secret,
    is_secret,
    link_code,
    new_part,
    new_secret,
    parse_code,
    secret_matches,
)
from verify.photo_source import NOTHING, NoPhotoError, PhotoDelayedError, PhotoSource, Sought
from verify.reference_contract import check_comparable
from verify.reference_quality import Reference
from verify.references import blob_name, number_binding, open_name, reference_binding
from verify.return_links import check_return_url
from verify.standing import check_kept, is_verified
from verify.statements import CONSENT, Statement, intent_sha256, intent_statement
from verify.store import Change, Store
from verify.vault import Vault

T = TypeVar("T")

INVITE_SECONDS = 86400.0
ATTEMPTS = 3
GRANT_SECONDS = 3600.0

RETRY_SECONDS = 2.0
DELAYED = "authority_delayed"
"""Why there is no template yet."""
NOT_ON_RECORD = "not_on_record"
"""Why there is no template: an authority has no photo for this number and name."""
NO_BLOBS: Mapping[str, bytes | None] = {}

Ended = Literal["already_verified", "reference_unusable", "reference_gone", "attempts_exhausted"]
"""What is final for the person of a link: the codes with which the next step would be refused."""

Accompany = Callable[[CaseFile, Invite, str], tuple[Message, ...]]
"""The messages that go out with a new invite, by its code: stored by the same commit (`verify.messenger`)."""


def nothing(_: CaseFile, __: Invite, ___: str) -> tuple[Message, ...]:
    """The client passes the link on itself."""
    return ()


EmbedReference = Callable[[bytes], Awaitable[Reference]]
"""Turns a photo's bytes into a template; raises ImageError or FaceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedInvite:
    """A new invite. `code` is shown this once."""

    code: str
    expires_at: datetime
    attempts: int
    messages: tuple[Message, ...] = ()
    """What the service sends to the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteView:
    """What the person may see before deciding: who asks, for what, for whom."""

    state: InviteState
    case_id: str
    requester: str
    action: str
    action_words: Words
    role: str
    role_words: Words
    name_masked: str
    consent: Statement
    consent_sha256: dict[str, str]
    intent: Statement
    intent_sha256: str
    expires_at: datetime
    attempts_left: int
    return_url: str | None
    """Back into the client's flow."""
    ended: Ended | None = None
    """Why the link can lead to nothing more, if it cannot; of `inspect` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """The person's answer. The hashes restate the texts that were shown; `agreed` false declines."""

    agreed: bool
    consent_version: str
    consent_sha256: str
    intent_sha256: str
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureGrant:
    """The right to open sessions. `secret` is shown this once."""

    secret: str
    attempts_left: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Invites:
    """Issues invites and leads each through its states."""

    store: Store
    vault: Vault
    entropy: Entropy
    embed_reference: EmbedReference
    contract: str
    """Of the templates that it makes."""
    photos: PhotoSource = NOTHING
    """Where the photos are that nobody submits, for cases of live mode."""
    test_photos: PhotoSource = NOTHING
    """The same for cases of test mode: no register is ever asked for them."""

    async def issue(
        self,
        client: Client,
        case_id: str,
        subject_id: str,
        *,
        return_url: str | None = None,
        accompany: Accompany = nothing,
    ) -> IssuedInvite:
        """A new link for a subject; an earlier one is revoked. It is durable if messages go out with it.

        `return_url`: where the page offers to go at the end.

        Raises:
            NotFound: `case_unknown`, `subject_unknown`. Conflict: `case_not_open`, `already_verified`,
            `reference_contract_mismatch` if other models have made the subject's template. Gone: `reference_gone` if
            the subject's photo was unusable or erased, `content_erased` if the person was. Refused:
            `deputy_not_appointed`. Invalid: `return_url_refused`.
        """
        if return_url is not None:
            check_return_url(return_url, origins=client.return_origins)
        part, secret = new_part(self.entropy), new_secret(self.entropy)
        epoch = await self.store.epoch()
        held = await held_appointments(self.store, known_case(case_id))

        def transition(file: CaseFile, now: float) -> Change[IssuedInvite]:
            check_owner(file, client)
            check_open(file.case, now)
            subject = find_subject(file, subject_id)
            check_appointed(subject, held, now=now)
            _check_can_verify(file, subject, now=now, epoch=epoch)
            check_comparable(subject, expected_contract=self.contract)
            earlier = [replace(other, state=InviteState.REVOKED) for other in _usable(file, subject_id)]
            expires_at = min(now + INVITE_SECONDS, file.case.deadline)
            invite = Invite(
                id=part,
                subject_id=subject_id,
                secret_hash=hash_secret(secret),
                issued_at=now,
                expires_at=expires_at,
                state=InviteState.ISSUED,
                attempts_left=ATTEMPTS,
                return_url=return_url,
            )
            code = link_code(file.case.id, part, secret)
            messages = accompany(file, invite, code)
            details: dict[str, Detail] = {"subject": subject_id, "invite": part}
            if messages:
                details["messages"] = tuple(each.id for each in messages)
            event = Event(name="invite.issued", actor=f"client:{client.id}", details=details)
            issued = IssuedInvite(code=code, expires_at=_time(expires_at), attempts=ATTEMPTS, messages=messages)
            return Change(after=file.with_(*earlier, invite, *messages), event=event, value=issued)

        return await self.store.transact(known_case(case_id), transition, durable=accompany is not nothing)

    async def inspect(self, code: str) -> InviteView:
        """What the link is for, and whether it is at its end; burns nothing, may be asked any number of times.

        Raises:
            NotFound: `invite_unknown`. Gone: `invite_expired`, `invite_revoked`. Conflict: `case_not_open`.
        """
        case_id, part, secret = _parsed(code)
        file, now = await self._load(case_id)
        invite, subject = _live_invite(file, part, secret, now)
        verified = is_verified(file, subject.id, now=now, epoch=await self.store.epoch())
        return replace(_view(file.case, subject, invite), ended=_ended(subject, invite, verified=verified))

    async def consent(self, code: str, given: ConsentGiven) -> InviteView:
        """Record consent and intent; the encrypted photo becomes a template. Declining, at any step, erases either.

        A photo that an authority holds is fetched once consent is on record; if that fails for now, the person goes on
        later with `exchange`.

        Raises:
            As `inspect`; Conflict: `invite_used`, `already_verified` if it is declined too late.
            Invalid: `consent_mismatch` if other texts were agreed to than those in force, `reference_unusable` if the
            photo shows no usable face.
        """
        case_id, part, secret = _parsed(code)
        file, now = await self._load(case_id)
        invite, subject = _live_invite(file, part, secret, now)
        if not given.agreed:
            return await self._decline(case_id, part, secret)
        if invite.state is not InviteState.ISSUED:
            raise Conflict("invite_used", "consent was recorded for this link already")
        _check_texts(file.case, subject, given)
        reference, unusable = await self._template(file.case, subject)
        view = await self._record((case_id, part, secret), given, reference=reference, unusable=unusable)
        if unusable is not None:
            raise _unusable(unusable)
        with suppress(Unavailable):
            await self._fetch(case_id, part, secret)
        return view

    async def exchange(self, code: str, *, grant_secret: str | None = None) -> CaptureGrant:
        """Burn the link for the right to open sessions.

        `grant_secret`: of a phone that has drawn the secret itself; with the same one the exchange may be repeated
        while the grant holds, and changes nothing more.

        Raises:
            As `inspect`; Refused: `consent_required`, `grant_invalid` if the time of the phone's own grant is up.
            Conflict: `invite_used`, `reference_contract_mismatch` (the link is not burnt).
            Invalid: `reference_unusable`, `grant_secret_invalid`.
            Unavailable: `reference_delayed` while an authority that holds the photo does not give it.
        """
        case_id, part, secret = _parsed(code)
        await self._fetch(case_id, part, secret)
        file, now = await self._load(case_id)
        invite, known = _live_invite(file, part, secret, now)
        chosen = new_secret(self.entropy) if grant_secret is None else _checked(grant_secret, secret)
        if invite.state is InviteState.EXCHANGED:
            return _same_grant(case_id, invite, chosen, now=now)
        await require_comparable(self.store, file, known.id, expected_contract=self.contract)

        def transition(file: CaseFile, now: float) -> Change[CaptureGrant]:
            invite, subject = _live_invite(file, part, secret, now)
            if invite.state is InviteState.ISSUED:
                raise Refused("consent_required", "consent and intent must be confirmed before the camera opens")
            if invite.state is not InviteState.CONSENTED:
                raise _SupersededError
            if subject.reference_state is ReferenceState.AWAITED:
                raise _delayed(RETRY_SECONDS)
            until = min(now + GRANT_SECONDS, file.case.deadline)
            used = replace(invite, state=InviteState.EXCHANGED, grant_hash=hash_secret(chosen), grant_expires_at=until)
            grant = _grant(case_id, used, chosen, until=until)
            event = Event(name="invite.exchanged", actor=f"subject:{subject.id}", details={"invite": part})
            return Change(after=file.with_(used), event=event, value=grant)

        try:
            return await self._transact(case_id, transition)
        except _SupersededError:
            return await self.exchange(code, grant_secret=chosen)

    async def _decline(self, case_id: str, part: str, secret: str) -> InviteView:
        """Decline, or withdraw what was agreed to: a session that runs can no longer be accepted."""
        epoch = await self.store.epoch()

        def transition(file: CaseFile, now: float) -> Change[InviteView]:
            invite, subject = _live_invite(file, part, secret, now)
            if is_verified(file, subject.id, now=now, epoch=epoch):
                raise Conflict("already_verified", "this person has verified for the case already")
            declined = replace(invite, state=InviteState.DECLINED)
            erased = replace(subject, reference_state=ReferenceState.ERASED, id_sealed=b"")
            event = Event(name="consent.declined", actor=f"subject:{subject.id}", details={"invite": part})
            view = _view(file.case, subject, declined)
            return Change(after=file.with_(declined, erased), event=event, value=view, blobs={blob_name(subject): None})

        return await self._transact(case_id, transition)

    async def _template(self, case: Case, subject: Subject) -> tuple[Reference | None, str | None]:
        """The template of a subject's portrait (None if there is one already), or why there cannot be one."""
        if subject.reference_state is ReferenceState.AWAITED:
            return None, None
        if subject.reference_state is not ReferenceState.PORTRAIT:
            return None, subject.reference_reason
        sealed = await self.store.blob(case.id, blob_name(subject))
        if sealed is None:
            raise Gone("reference_gone", "the ID photo was erased: the registration service must send another one")
        photo = self.vault.open(
            sealed,
            case_id=case.id,
            wrapped_key=case.wrapped_key,
            bound_to=reference_binding(subject, "portrait"),
        )
        return await self._embedded(photo)

    async def _embedded(self, photo: bytes) -> tuple[Reference | None, str | None]:
        try:
            return await self.embed_reference(photo), None
        except (ImageError, FaceError) as error:
            return None, error.code

    async def _fetch(self, case_id: str, part: str, secret: str) -> None:
        """Fetch the photo that an authority holds, if one does and the person has consented, and keep its template.

        Raises:
            Unavailable: `reference_delayed`; its client is told once. Invalid: `reference_unusable`.
        """
        file, now = await self._load(case_id)
        invite, subject = _live_invite(file, part, secret, now)
        if invite.state is not InviteState.CONSENTED or subject.reference_state is not ReferenceState.AWAITED:
            return
        try:
            reference, unusable = await self._sought(file.case, subject)
        except PhotoDelayedError as delay:
            if subject.reference_reason is None:
                await self._settle(case_id, subject, replace(subject, reference_reason=DELAYED), "reference.delayed")
            raise _delayed(delay.retry_after) from None
        referenced, blobs = self._referenced(file.case, subject, reference, unusable)
        await self._settle(
            case_id, subject, referenced, "reference.fetched" if reference else "reference.unusable", blobs
        )
        if unusable is not None:
            raise _unusable(unusable)

    async def _sought(self, case: Case, subject: Subject) -> tuple[Reference | None, str | None]:
        """The template of a photo that an authority holds, or why there cannot be one. Raises PhotoDelayedError."""
        number = self.vault.open(
            subject.id_sealed, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=number_binding(subject)
        )
        sought = Sought(id_type=subject.id_type, id_number=number.decode(), name=open_name(self.vault, case, subject))
        try:
            photo = await (self.photos if case.mode == "live" else self.test_photos).fetch(sought)
        except NoPhotoError:
            return None, NOT_ON_RECORD
        return await self._embedded(photo)

    async def _settle(
        self, case_id: str, before: Subject, after: Subject, event: str, blobs: Mapping[str, bytes | None] = NO_BLOBS
    ) -> None:
        """Record what came of asking, unless another was faster, or the person was replaced meanwhile."""

        def transition(file: CaseFile, _: float) -> Change[None]:
            if replace(file.subjects[before.id], reference_reason=before.reference_reason) != before:
                raise _SupersededError
            details = {"subject": before.id, "state": after.reference_state.value}
            return Change(
                after=file.with_(after),
                event=Event(name=event, actor="service", details=details),
                value=None,
                blobs=blobs,
            )

        with suppress(_SupersededError):
            await self._transact(case_id, transition)

    async def _record(
        self, link: tuple[str, str, str], given: ConsentGiven, *, reference: Reference | None, unusable: str | None
    ) -> InviteView:
        case_id, part, secret = link

        def transition(file: CaseFile, now: float) -> Change[InviteView]:
            invite, subject = _live_invite(file, part, secret, now)
            if invite.state is not InviteState.ISSUED:
                raise Conflict("invite_used", "consent was recorded for this link already")
            consented = replace(invite, state=InviteState.CONSENTED, consent=_record_of(given, now))
            referenced, blobs = self._referenced(file.case, subject, reference, unusable)
            details = {"invite": part, "consent": given.consent_sha256, "intent": given.intent_sha256}
            event = Event(name="consent.given", actor=f"subject:{subject.id}", details=details)
            view = _view(file.case, referenced, consented)
            return Change(after=file.with_(consented, referenced), event=event, value=view, blobs=blobs)

        return await self._transact(case_id, transition)

    def _referenced(
        self, case: Case, subject: Subject, reference: Reference | None, unusable: str | None
    ) -> tuple[Subject, dict[str, bytes | None]]:
        """The subject with its template in place of the portrait, or with the portrait erased as unusable."""
        if unusable is not None:
            spoilt = replace(subject, reference_state=ReferenceState.UNUSABLE, reference_reason=unusable, id_sealed=b"")
            return spoilt, {blob_name(subject): None}
        if reference is None:
            return subject, {}
        template = reference.template
        sealed = self.vault.seal(
            template.to_bytes(),
            case_id=case.id,
            wrapped_key=case.wrapped_key,
            bound_to=reference_binding(subject, template.contract),
        )
        ready = replace(
            subject,
            reference_state=ReferenceState.TEMPLATE,
            reference_contract=template.contract,
            reference_reason=None,
            reference_warnings=reference.warnings,
            id_sealed=b"",
        )
        return ready, {blob_name(subject): sealed}

    async def _load(self, case_id: str) -> tuple[CaseFile, float]:
        """A link of a case that does not exist is an unknown link."""
        try:
            return await self.store.load(case_id)
        except NotFound:
            raise _unknown() from None

    async def _transact(self, case_id: str, transition: Callable[[CaseFile, float], Change[T]]) -> T:
        try:
            return await self.store.transact(case_id, transition)
        except NotFound:
            raise _unknown() from None


class _SupersededError(Exception):
    """What was found out is of no use any more."""


def _delayed(retry_after: float) -> Unavailable:
    message = "the authority that holds the ID photo does not answer: try again a little later"
    return Unavailable("reference_delayed", message, retry_after=retry_after)


def _unusable(reason: str) -> Invalid:
    message = f"the ID photo cannot be used ({reason}): the registration service must send another one"
    return Invalid("reference_unusable", message)


def _parsed(code: str) -> tuple[str, str, str]:
    parsed = parse_code(code)
    if parsed is None:
        raise _unknown()
    return parsed


def _unknown() -> NotFound:
    return NotFound("invite_unknown", "this link is not known: check that it is complete, or ask for a new one")


def _live_invite(file: CaseFile, part: str, secret: str, now: float) -> tuple[Invite, Subject]:
    """The invite of a link and its subject, if the link can still lead anywhere."""
    invite = file.invites.get(part)
    if not secret_matches(secret, invite.secret_hash if invite else None) or invite is None:
        raise _unknown()
    if invite.state in {InviteState.REVOKED, InviteState.DECLINED}:
        raise Gone("invite_revoked", f"this link was {invite.state.value}: ask for a new one")
    check_open(file.case, now)
    if now >= invite.expires_at:
        raise Gone("invite_expired", "this link has expired: ask for a new one")
    return invite, file.subjects[invite.subject_id]


def _checked(grant_secret: str, link_secret: str) -> str:
    """A secret that a phone has drawn: in the form of ours, and not the one that everybody has who has the link."""
    if not is_secret(grant_secret) or compare_digest(grant_secret, link_secret):
        message = "grant_secret must be 32 random bytes of its own, as 43 characters of base64url without padding"
        raise Invalid("grant_secret_invalid", message)
    return grant_secret


def _same_grant(case_id: str, invite: Invite, secret: str, *, now: float) -> CaptureGrant:
    """The grant that a link was exchanged for, for the phone that chose its secret."""
    if not secret_matches(secret, invite.grant_hash) or invite.grant_expires_at is None:
        raise Conflict("invite_used", "this link was used already: ask for a new one")
    if now >= invite.grant_expires_at:
        raise Refused("grant_invalid", "the time to verify with this link is up: ask for a new one")
    return _grant(case_id, invite, secret, until=invite.grant_expires_at)


def _grant(case_id: str, invite: Invite, secret: str, *, until: float) -> CaptureGrant:
    return CaptureGrant(
        secret=link_code(case_id, invite.id, secret), attempts_left=invite.attempts_left, expires_at=_time(until)
    )


def _usable(file: CaseFile, subject_id: str) -> list[Invite]:
    ended = {InviteState.REVOKED, InviteState.DECLINED}
    return [invite for invite in file.invites.values() if invite.subject_id == subject_id and invite.state not in ended]


def _check_can_verify(file: CaseFile, subject: Subject, *, now: float, epoch: int) -> None:
    if is_verified(file, subject.id, now=now, epoch=epoch):
        raise Conflict("already_verified", "this subject has verified for the case already")
    check_kept(subject)
    if subject.reference_state in {ReferenceState.UNUSABLE, ReferenceState.ERASED}:
        raise Gone(
            "reference_gone", f"the subject's ID photo is {subject.reference_state.value}: replace the subject with one"
        )


def _ended(subject: Subject, invite: Invite, *, verified: bool) -> Ended | None:
    """What is final. How an attempt ended is not told here: only that there can be no other."""
    if verified:
        return "already_verified"
    if subject.reference_state is ReferenceState.UNUSABLE:
        return "reference_unusable"
    if subject.reference_state is ReferenceState.ERASED:
        return "reference_gone"
    return "attempts_exhausted" if invite.attempts_left < 1 else None


def _check_texts(case: Case, subject: Subject, given: ConsentGiven) -> None:
    expected = (CONSENT.version, CONSENT.sha256(given.language), intent_sha256(case, subject))
    if (given.consent_version, given.consent_sha256, given.intent_sha256) != expected:
        raise Invalid("consent_mismatch", "other texts were agreed to than those in force: load the page again")


def _record_of(given: ConsentGiven, now: float) -> Consent:
    return Consent(
        version=given.consent_version,
        sha256=given.consent_sha256,
        intent_sha256=given.intent_sha256,
        language=given.language,
        at=now,
    )


def _view(case: Case, subject: Subject, invite: Invite) -> InviteView:
    return InviteView(
        state=invite.state,
        case_id=case.id,
        requester=case.client_name,
        action=case.action,
        action_words=case.action_words or (ACTIONS[case.action].zh, ACTIONS[case.action].en),
        role=subject.role,
        role_words=subject.role_words or ROLES[subject.role],
        name_masked=subject.name_masked,
        consent=CONSENT,
        consent_sha256={"zh": CONSENT.sha256("zh"), "en": CONSENT.sha256("en")},
        intent=intent_statement(case, subject),
        intent_sha256=intent_sha256(case, subject),
        expires_at=_time(invite.expires_at),
        attempts_left=invite.attempts_left,
        return_url=invite.return_url,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
