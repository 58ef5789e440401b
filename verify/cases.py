"""Cases: opening one with its roster, looking at it, cancelling it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from models.image import decode_image
from verify.actions import Action, check_role, find_action
from verify.audit import Event
from verify.casefile import (
    Case,
    CaseFile,
    CaseState,
    Provenance,
    ReferenceState,
    Rule,
    Subject,
    Verification,
    VerificationState,
)
from verify.clients import Client
from verify.errors import Conflict, Invalid, NotFound
from verify.identifiers import Entropy, case_of, new_part
from verify.masking import mask_id, mask_name
from verify.standing import Standing, standing
from verify.store import Change, Store
from verify.vault import Vault

DEFAULT_DEADLINE_SECONDS = 30 * 86400.0
LONGEST_DEADLINE_SECONDS = 365 * 86400.0


EVERYBODY = Rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubject:
    """One person as the client enters them. `photo`: JPEG, PNG or WebP bytes."""

    name: str
    role: str
    id_type: str
    id_number: str
    photo: bytes
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A filing as the client enters it. `document_sha256`: 64 lower-case hexadecimal characters."""

    action: str
    document_sha256: str
    subjects: tuple[NewSubject, ...]
    rule: Rule = EVERYBODY
    external_id: str | None = None
    deadline: datetime | None = None
    """With time zone; 30 days from now if missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case at one moment: `file` as stored, and what follows from the time."""

    file: CaseFile
    state: CaseState
    standings: Mapping[str, Standing]
    """By subject id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Opens and finds cases. `allow_client_upload`: whether statutory actions may rest on a client's own upload."""

    store: Store
    vault: Vault
    entropy: Entropy
    allow_client_upload: bool = False

    async def open(self, client: Client, new: NewCase) -> CaseView:
        """Open a case.

        Raises:
            Invalid: `action_unknown`, `roster_invalid`, `rule_invalid`, `deadline_invalid`,
                `reference_provenance_insufficient`.
            models.errors.ImageError: a photo is no picture that can be used (no face is looked for yet).
            StoreUnavailable: nothing was opened.
        """
        action = find_action(new.action)
        _check(new, action, allow_client_upload=self.allow_client_upload)
        await asyncio.to_thread(_check_photos, new.subjects)
        now = await self.store.now()
        case = self._case(client, new, now)
        pairs = [(self._subject(case, subject), subject.photo) for subject in new.subjects]
        file = CaseFile(case=case, subjects={subject.id: subject for subject, _ in pairs})
        blobs = {blob_name(subject): self._seal_portrait(case, subject, photo) for subject, photo in pairs}
        event = Event(name="case.opened", actor=f"client:{client.id}", details={"subjects": tuple(file.subjects)})
        created = await self.store.create(file, event, blobs=dict(blobs), at=now)
        return case_view(created, now=now, epoch=0)

    async def get(self, client: Client, case_id: str) -> CaseView:
        """A case of this client, as it stands now. Raises NotFound `case_unknown`."""
        file, now = await self.store.load(known_case(case_id))
        check_owner(file, client)
        return case_view(file, now=now, epoch=await self.store.epoch())

    async def cancel(self, client: Client, case_id: str, reason: str) -> CaseView:
        """Cancel an open case; what was verified for it is void.

        Raises:
            NotFound: `case_unknown`. Conflict: `case_not_open`.
        """
        epoch = await self.store.epoch()

        def transition(file: CaseFile, now: float) -> Change[CaseView]:
            check_owner(file, client)
            check_open(file.case, now)
            cancelled = replace(file.case, state=CaseState.CANCELLED, reason=reason)
            after = file.with_(cancelled, *revoked(file))
            event = Event(name="case.cancelled", actor=f"client:{client.id}", details={"reason": reason})
            return Change(after=after, event=event, value=case_view(after, now=now, epoch=epoch))

        return await self.store.transact(known_case(case_id), transition, durable=True)

    async def expire(self, case_id: str) -> CaseState:
        """Record that the deadline of an open case has passed, if it has, so that its client is told; its state then.

        Raises:
            NotFound: `case_unknown`.
        """

        def transition(file: CaseFile, now: float) -> Change[CaseState]:
            state = state_at(file.case, now)
            if state is file.case.state:
                raise Conflict("case_not_open", f"there is nothing to record: the case is {state.value}")
            after = file.with_(replace(file.case, state=state))
            return Change(after=after, event=Event(name="case.expired", actor="service"), value=state)

        known = known_case(case_id)
        file, now = await self.store.load(known)
        if state_at(file.case, now) is file.case.state:
            return file.case.state
        with suppress(Conflict):  # another replica was faster
            return await self.store.transact(known, transition)
        return (await self.store.load(known))[0].case.state

    def _case(self, client: Client, new: NewCase, now: float) -> Case:
        case_id = f"case_{new_part(self.entropy)}"
        return Case(
            id=case_id,
            client=client.id,
            client_name=client.name,
            mode=client.mode,
            action=new.action,
            document_sha256=new.document_sha256,
            external_id=new.external_id,
            rule=new.rule,
            roster_version=1,
            state=CaseState.OPEN,
            reason=None,
            opened_at=now,
            deadline=_deadline(new.deadline, now),
            wrapped_key=self.vault.new_case_key(case_id),
        )

    def _subject(self, case: Case, new: NewSubject) -> Subject:
        subject_id = f"sub_{new_part(self.entropy)}"
        sealed = self.vault.seal(
            new.name.encode(), case_id=case.id, wrapped_key=case.wrapped_key, bound_to=(subject_id, "name")
        )
        return Subject(
            id=subject_id,
            role=new.role,
            name_masked=mask_name(new.name),
            name_sealed=sealed,
            id_type=new.id_type,
            id_masked=mask_id(new.id_number),
            id_hash=self.vault.person_hash(new.id_type, new.id_number),
            provenance=new.provenance,
            reference_state=ReferenceState.PORTRAIT,
            reference_version=1,
            reference_contract=None,
            reference_reason=None,
        )

    def _seal_portrait(self, case: Case, subject: Subject, photo: bytes) -> bytes:
        bound_to = reference_binding(subject, "portrait")
        return self.vault.seal(photo, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=bound_to)


def case_view(file: CaseFile, *, now: float, epoch: int) -> CaseView:
    """A case as it stands at a time (Unix seconds by the store's clock), in the store's epoch."""
    standings = {subject_id: standing(file, subject_id, now=now, epoch=epoch) for subject_id in file.subjects}
    return CaseView(file=file, state=state_at(file.case, now), standings=standings)


def known_case(identifier: str) -> str:
    """The case id that an id belongs to. Raises NotFound `case_unknown` if it has no such form."""
    case_id = case_of(identifier)
    if case_id is None:
        raise NotFound("case_unknown", "there is no such case, or it belongs to another client")
    return case_id


def check_owner(file: CaseFile, client: Client) -> None:
    """A case is shown to its own client in its own mode only. Raises NotFound `case_unknown`."""
    if file.case.client != client.id or file.case.mode != client.mode:
        raise NotFound("case_unknown", "there is no such case, or it belongs to another client")


def find_subject(file: CaseFile, subject_id: str) -> Subject:
    """Raises NotFound `subject_unknown`."""
    if subject_id not in file.subjects:
        raise NotFound("subject_unknown", "the case has no such subject")
    return file.subjects[subject_id]


def state_at(case: Case, now: float) -> CaseState:
    """An open case whose deadline has passed is expired, whoever looks first."""
    return CaseState.EXPIRED if case.state is CaseState.OPEN and now >= case.deadline else case.state


def check_open(case: Case, now: float) -> None:
    """Raises Conflict `case_not_open`."""
    state = state_at(case, now)
    if state is not CaseState.OPEN:
        raise Conflict("case_not_open", f"the case is {state.value}: open a new one")


def revoked(file: CaseFile) -> tuple[Verification, ...]:
    """The active verifications of a case, revoked."""
    return tuple(
        replace(verification, state=VerificationState.REVOKED)
        for verification in file.verifications.values()
        if verification.state is VerificationState.ACTIVE
    )


def reference_binding(subject: Subject, form: str) -> tuple[str, ...]:
    """What a portrait or a template is bound to: subject, version, and the template's contract as `form`."""
    return (subject.id, "reference", str(subject.reference_version), form)


def blob_name(subject: Subject) -> str:
    """Where a subject's encrypted portrait or template is kept."""
    return f"reference:{subject.id}"


def _check(new: NewCase, action: Action, *, allow_client_upload: bool) -> None:
    """Everything that can be wrong with a new case, before anything is stored."""
    if not new.subjects:
        raise Invalid("roster_invalid", "a case needs at least one subject")
    _check_rule(new.rule, len(new.subjects))
    for subject in new.subjects:
        check_role(subject.role)
        if subject.provenance == "client_upload" and action.statutory and not allow_client_upload:
            raise Invalid(
                "reference_provenance_insufficient",
                f"{action.name} needs photos from an authority or taken from the card; the operator can allow uploads "
                "with HEYAN_ALLOW_CLIENT_UPLOAD",
            )


def _check_photos(subjects: tuple[NewSubject, ...]) -> None:
    """Whether each photo can be read whole. Nobody has consented yet: no face is looked for."""
    for subject in subjects:
        decode_image(subject.photo)


def _check_rule(rule: Rule, people: int) -> None:
    if rule.kind == "all" and rule.k is not None:
        raise Invalid("rule_invalid", "the rule 'all' takes no k")
    if rule.kind == "k_of_n" and not (rule.k is not None and 1 <= rule.k <= people):
        raise Invalid("rule_invalid", f"the rule 'k_of_n' needs a k from 1 to {people}, the number of subjects")


def _deadline(wanted: datetime | None, now: float) -> float:
    if wanted is None:
        return now + DEFAULT_DEADLINE_SECONDS
    if wanted.tzinfo is None:
        raise Invalid("deadline_invalid", "the deadline needs a time zone, such as 2026-12-31T18:00:00+08:00")
    if not now < wanted.timestamp() <= now + LONGEST_DEADLINE_SECONDS:
        raise Invalid("deadline_invalid", "the deadline must be in the future and within a year")
    return wanted.timestamp()
