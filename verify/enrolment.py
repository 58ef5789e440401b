"""Enrolment: from a person or organisation as a client enters them to the subject that the case keeps.

Names are sealed and masked, ID numbers checked, hashed and masked, photos sealed; nothing of it is kept as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from verify.actions import Action, role_words
from verify.amounts import check_share
from verify.casefile import Case, CaseFile, OnBehalfOf, Organisation, Provenance, ReferenceState, Subject
from verify.deputies import Appointment, stands_for
from verify.errors import Invalid
from verify.identifiers import Entropy, new_part
from verify.identity_documents import IdentityDocument, check_document, civil_date
from verify.masking import mask_id, mask_name
from verify.organisations import check_credit_code
from verify.references import name_binding, number_binding, open_name, reference_binding
from verify.roster import find_organisation
from verify.vault import Vault
from verify.wording import LONGEST_PERSON, check_text

LONGEST_ORGANISATION = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubject:
    """One person as the client enters them.

    `photo`: JPEG, PNG or WebP bytes; without one `from_authority`, or else the reference that there is stays.
    """

    name: str
    role: str
    document: IdentityDocument
    photo: bytes | None
    provenance: Provenance | None
    from_authority: bool = False
    """An authority holds the photo: nobody submits it."""
    share_percent: str | None = None
    signs_for: str | None = None
    """Credit code of the organisation of the roster that the person signs for."""
    appointment: str | None = None
    """Under which the person stands as deputy for a principal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrganisation:
    """An organisation as the client enters it. `credit_code`: unified social credit code (GB 32100-2015)."""

    name: str
    role: str
    credit_code: str
    share_percent: str | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Turns what clients enter into what cases keep."""

    vault: Vault
    entropy: Entropy
    allow_client_upload: bool
    authority: bool
    """Whether photos can be fetched from an authority."""
    appointments: Mapping[str, Appointment]
    """By id: those that the people to be enrolled refer to."""

    def organisation(self, action: Action, new: NewOrganisation, *, known_id: str | None = None) -> Organisation:
        """An organisation of the roster, new or in place of the one with an id.

        Raises:
            Invalid: `roster_invalid`, `text_invalid`, `credit_code_invalid`, `share_invalid`.
        """
        role_words(action, new.role)
        return Organisation(
            id=known_id or f"org_{new_part(self.entropy)}",
            role=new.role,
            name=check_text(new.name, field="name", longest=LONGEST_ORGANISATION),
            credit_code=check_credit_code(new.credit_code),
            share_percent=_share(action, new.role, new.share_percent),
        )

    def subject(self, file: CaseFile, action: Action, new: NewSubject, *, now: float) -> tuple[Subject, bytes | None]:
        """A person with a reference: the subject, and the sealed portrait unless an authority holds it.

        Raises:
            Invalid: `roster_invalid`, `text_invalid`, `id_document_type_unknown`, `id_document_invalid`,
                `share_invalid`, `reference_missing`, `reference_provenance_insufficient`,
                `authority_not_configured`.
            Refused: `deputy_not_appointed`.
        """
        subject = self._filled(file, action, _blank(f"sub_{new_part(self.entropy)}"), new, now)
        if new.from_authority:
            return self._awaiting(file.case, subject, new, now), None
        if new.photo is None or new.provenance is None:
            raise Invalid("reference_missing", "a person needs a reference: the ID photo and its provenance")
        return self._with_portrait(file.case, action, subject, new.photo, new.provenance)

    def replacement(
        self, file: CaseFile, action: Action, old: Subject, new: NewSubject, *, now: float
    ) -> tuple[Subject, bytes | None]:
        """The subject with new fields, and a sealed portrait if a photo came; the same person may keep the reference.

        Raises:
            As `subject`; `reference_missing` only if the ID document is another.
        """
        subject = self._filled(file, action, old, new, now)
        if new.from_authority:
            next_version = replace(subject, reference_version=old.reference_version + 1)
            return self._awaiting(file.case, next_version, new, now), None
        if new.photo is not None and new.provenance is not None:
            next_version = replace(subject, reference_version=old.reference_version + 1)
            return self._with_portrait(file.case, action, next_version, new.photo, new.provenance)
        if subject.id_hash != old.id_hash:
            raise Invalid("reference_missing", "another ID document needs another reference: photo and provenance")
        if self.name_of(file.case, old) == self.name_of(file.case, subject):
            subject = replace(subject, name_sealed=old.name_sealed)
        return subject, None

    def name_of(self, case: Case, subject: Subject) -> str:
        """A subject's name in clear."""
        return open_name(self.vault, case, subject)

    def _filled(self, file: CaseFile, action: Action, subject: Subject, new: NewSubject, now: float) -> Subject:
        words = role_words(action, new.role)
        name = check_text(new.name, field="name", longest=LONGEST_PERSON)
        document = check_document(new.document, today=civil_date(now))
        id_hash = self.vault.person_hash(document.type, document.person)
        stateless = document.stateless
        return replace(
            subject,
            role=new.role,
            role_words=words if new.role in action.roles else None,
            name_masked=mask_name(name),
            name_sealed=self._seal(file.case, name.encode(), name_binding(subject)),
            id_type=document.type,
            id_masked=mask_id(document.number),
            id_hash=id_hash,
            stateless_hash="" if stateless is None else self.vault.person_hash(document.type, stateless),
            share_percent=_share(action, new.role, new.share_percent),
            on_behalf_of=self._stands_for(file, new, id_hash, now),
        )

    def _stands_for(self, file: CaseFile, new: NewSubject, id_hash: str, now: float) -> OnBehalfOf | None:
        if new.signs_for is not None and new.appointment is not None:
            raise Invalid("roster_invalid", "a person signs for an organisation or stands for a principal, not both")
        if new.signs_for is not None:
            return on_behalf_of(find_organisation(file, check_credit_code(new.signs_for)))
        if new.appointment is not None:
            appointment = self.appointments[new.appointment]
            return stands_for(appointment, deputy_hash=id_hash, action=file.case.action, now=now)
        return None

    def _awaiting(self, case: Case, subject: Subject, new: NewSubject, now: float) -> Subject:
        """The number is kept, encrypted, until the photo was fetched by it."""
        if not self.authority:
            message = "no authority's photo service is set up (HEYAN_AUTHORITY_URL): send the photo and its provenance"
            raise Invalid("authority_not_configured", message)
        number = check_document(new.document, today=civil_date(now)).number
        return replace(
            subject,
            provenance="authority",
            reference_state=ReferenceState.AWAITED,
            reference_contract=None,
            reference_reason=None,
            reference_warnings=(),
            id_sealed=self._seal(case, number.encode(), number_binding(subject)),
        )

    def _with_portrait(
        self, case: Case, action: Action, subject: Subject, photo: bytes, provenance: Provenance
    ) -> tuple[Subject, bytes]:
        if provenance == "client_upload" and action.statutory and not self.allow_client_upload:
            raise Invalid(
                "reference_provenance_insufficient",
                f"{action.name} needs photos from an authority or taken from the card; the operator can allow uploads "
                "with HEYAN_ALLOW_CLIENT_UPLOAD",
            )
        pictured = replace(
            subject,
            provenance=provenance,
            reference_state=ReferenceState.PORTRAIT,
            reference_contract=None,
            reference_reason=None,
            reference_warnings=(),
            id_sealed=b"",
        )
        return pictured, self._seal(case, photo, reference_binding(pictured, "portrait"))

    def _seal(self, case: Case, content: bytes, bound_to: tuple[str, ...]) -> bytes:
        return self.vault.seal(content, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=bound_to)


def on_behalf_of(organisation: Organisation) -> OnBehalfOf:
    """What the people who sign for an organisation carry of it."""
    return OnBehalfOf(
        kind="organisation",
        id=organisation.credit_code,
        name=organisation.name,
        share_percent=organisation.share_percent,
    )


def anonymous(subject: Subject) -> Subject:
    """A subject without personal data, its own or of whom it stands for."""
    behalf = subject.on_behalf_of
    if behalf is not None and behalf.kind == "deputy":
        behalf = replace(behalf, name="", principal_hash=None, principal_stateless_hash="")
    return replace(
        subject,
        name_masked="",
        name_sealed=b"",
        id_masked="",
        id_hash="",
        stateless_hash="",
        on_behalf_of=behalf,
        reference_state=ReferenceState.ERASED,
        reference_reason=None,
        reference_warnings=(),
        id_sealed=b"",
    )


def tombstone(subject: Subject) -> Subject:
    """What stays of a subject that leaves the roster."""
    return replace(anonymous(subject), removed=True, share_percent=None, on_behalf_of=None)


def _blank(subject_id: str) -> Subject:
    return Subject(
        id=subject_id,
        role="",
        name_masked="",
        name_sealed=b"",
        id_type="",
        id_masked="",
        id_hash="",
        provenance="client_upload",
        reference_state=ReferenceState.PORTRAIT,
        reference_version=1,
        reference_contract=None,
        reference_reason=None,
    )


def _share(action: Action, role: str, share: str | None) -> str | None:
    """Shares are held by shareholders, or by whom a client's own action calls otherwise."""
    if share is None:
        return None
    if role != "shareholder" and role not in action.roles:
        raise Invalid("share_invalid", f"the role {role} holds no share: enter it with the shareholder")
    return check_share(share)
