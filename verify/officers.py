"""Officers: people of the operator who verify somebody at the window, known by keys of their own.

A client has no part in it: what vouches for a filing must not come from whoever files it.
"""

from dataclasses import dataclass, replace
from re import fullmatch
from typing import Literal

import msgspec

from verify.audit import Event
from verify.casefile import CaseFile, Mode, Subject, Verification, VerificationState
from verify.cases import check_open, find_subject, known_case
from verify.deputies import appointed_until, check_appointed, held_appointments
from verify.errors import Conflict, Invalid, NotFound, Refused
from verify.identifiers import Entropy, hash_secret, new_part, new_secret
from verify.identity_documents import IdentityDocument, check_document, civil_date
from verify.sessions import VERIFICATION_SECONDS
from verify.standing import check_kept, is_verified
from verify.statements import Statement, intent_sha256, intent_statement
from verify.store import Change, Store
from verify.vault import Vault

Reason = Literal["referred", "no_device", "accessibility", "declined_remote", "photo_unusable"]
"""Why somebody came to the window."""

AT_THE_WINDOW = "window"
"""What stands for capture and policy where no camera and no thresholds were in play."""

_KIND = "officers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """One person at the window, who acts for cases of one mode."""

    id: str
    name: str
    mode: Mode
    created_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Officers:
    """Adds officers and finds them by their key. Only the hash of a key is kept."""

    store: Store
    entropy: Entropy

    async def add(self, name: str, *, mode: Mode) -> tuple[Officer, str]:
        """A new officer and their key, which is shown this once. Raises Invalid `officer_name_invalid`."""
        if not fullmatch(r"[\w .-]{1,64}", name):
            message = "an officer's name has 1 to 64 letters, digits, spaces, '.', '-' or '_'"
            raise Invalid("officer_name_invalid", message)
        secret = f"hk_officer_{'test_' if mode == 'test' else ''}{new_secret(self.entropy)}"
        made_at = await self.store.now()
        officer = Officer(id=f"off_{new_part(self.entropy)}", name=name, mode=mode, created_at=made_at)
        await self.store.put_record(_KIND, hash_secret(secret), msgspec.json.encode(officer))
        return officer, secret

    async def authenticate(self, secret: str) -> Officer:
        """The officer of a key, found by its hash. Raises Refused `api_key_invalid`."""
        found = await self.store.get_record(_KIND, hash_secret(secret))
        officer = msgspec.json.decode(found, type=Officer) if found is not None else None
        if officer is None or officer.revoked:
            raise Refused(
                "api_key_invalid", "this needs the key of an officer; the operator makes one: heyan officers add"
            )
        return officer

    async def list(self) -> tuple[Officer, ...]:
        """All officers, oldest first."""
        found = (await self.store.records(_KIND)).values()
        officers = [msgspec.json.decode(content, type=Officer) for content in found]
        return tuple(sorted(officers, key=lambda officer: officer.created_at))

    async def revoke(self, officer_id: str) -> Officer:
        """Make an officer's key useless. Raises NotFound `officer_unknown`."""
        for name, content in (await self.store.records(_KIND)).items():
            if msgspec.json.decode(content, type=Officer).id == officer_id:
                stored = await self.store.change_record(_KIND, name, _revoked)
                if stored is not None:
                    return msgspec.json.decode(stored, type=Officer)
        raise NotFound("officer_unknown", f"no officer has the id {officer_id!r}; `heyan officers list` shows them")


@dataclass(frozen=True, slots=True, kw_only=True)
class InPerson:
    """What the officer states: the document that lay before them, and the intent that the person confirmed."""

    reason: Reason
    document: IdentityDocument
    intent_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """What an officer reads to the person."""

    action: str
    role: str
    name_masked: str
    intent: Statement
    intent_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Records verifications that were made in person."""

    store: Store
    vault: Vault
    entropy: Entropy

    async def inspect(self, officer: Officer, case_id: str, subject_id: str) -> WindowView:
        """What is to be confirmed. Changes nothing.

        Raises:
            NotFound: `case_unknown`, `subject_unknown`. Conflict: `case_not_open`.
        """
        file, now = await self.store.load(known_case(case_id))
        _check_mode(file, officer)
        check_open(file.case, now)
        subject = find_subject(file, subject_id)
        return WindowView(
            action=file.case.action,
            role=subject.role,
            name_masked=subject.name_masked,
            intent=intent_statement(file.case, subject),
            intent_sha256=intent_sha256(file.case, subject),
        )

    async def record(self, officer: Officer, case_id: str, subject_id: str, given: InPerson) -> Verification:
        """Record that this person was there, with the ID document that the case knows, and confirmed the intent.

        Raises:
            NotFound: `case_unknown`, `subject_unknown`. Conflict: `case_not_open`, `already_verified`. Invalid:
            `consent_mismatch`, `id_document_type_unknown`, `id_document_invalid`. Refused: `deputy_not_appointed`;
            `identity_mismatch`, which leaves its trace. Gone: `content_erased`.
        """
        document = check_document(given.document, today=civil_date(await self.store.now()))
        verification_id = f"ver_{new_part(self.entropy)}"
        id_hash = self.vault.person_hash(document.type, document.person)
        held = await held_appointments(self.store, known_case(case_id))
        epoch = await self.store.epoch()

        def transition(file: CaseFile, now: float) -> Change[Verification]:
            _check_mode(file, officer)
            check_open(file.case, now)
            subject = find_subject(file, subject_id)
            check_kept(subject)
            check_appointed(subject, held, now=now)
            if is_verified(file, subject_id, now=now, epoch=epoch):
                raise Conflict("already_verified", "this person has verified for the case already")
            if given.intent_sha256 != intent_sha256(file.case, subject):
                raise Invalid("consent_mismatch", "another intent was confirmed than the one in force: inspect again")
            made = _verification(file, subject, verification_id, now=now, epoch=epoch)
            if subject.id_hash != id_hash:
                return _refused(file, officer, made)
            details = {"subject": subject.id, "verification": made.id, "reason": given.reason}
            event = Event(name="verification.in_person", actor=f"officer:{officer.id}", details=details)
            return Change(after=file.with_(made), event=event, value=made)

        return await self.store.transact(known_case(case_id), transition, durable=True)


def _revoked(stored: bytes) -> bytes:
    return msgspec.json.encode(replace(msgspec.json.decode(stored, type=Officer), revoked=True))


def _check_mode(file: CaseFile, officer: Officer) -> None:
    """A case of the other mode does not exist for an officer. Raises NotFound `case_unknown`."""
    if file.case.mode != officer.mode:
        raise NotFound("case_unknown", "there is no such case, or it is of the other mode")


def _refused(file: CaseFile, officer: Officer, wanted: Verification) -> Change[Verification]:
    """Another person's document: nothing is recorded but that it was tried."""
    event = Event(name="window.mismatch", actor=f"officer:{officer.id}", details={"subject": wanted.subject_id})
    refusal = Refused("identity_mismatch", "this is not the ID document of the person whom the case names")
    return Change(after=file, event=event, value=wanted, refusal=refusal)


def _verification(file: CaseFile, subject: Subject, verification_id: str, *, now: float, epoch: int) -> Verification:
    return Verification(
        id=verification_id,
        subject_id=subject.id,
        role=subject.role,
        action=file.case.action,
        roster_version=file.case.roster_version,
        document_sha256=file.case.document_sha256,
        intent_sha256=intent_sha256(file.case, subject),
        provenance=subject.provenance,
        method="in_person",
        capture=AT_THE_WINDOW,
        policy=AT_THE_WINDOW,
        session_id="",
        verified_at=now,
        valid_until=min(now + VERIFICATION_SECONDS, appointed_until(subject)),
        epoch=epoch,
        state=VerificationState.ACTIVE,
    )
