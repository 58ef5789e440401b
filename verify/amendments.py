"""Amendments: changes of an open case. Each revokes exactly what it touches, and leaves an entry in the audit.

A person's own fields touch that person, an organisation's those who sign for it, the document and the details
everybody; what is the client's alone (number, notes, deadline) touches nobody. Touched people verify anew, by a new
link. Nobody whose verification was redeemed can be touched: their receipt says what it says.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from msgspec import UNSET, UnsetType

from verify.actions import Action
from verify.audit import Detail, Event
from verify.casefile import CaseFile, Details, Organisation, Subject
from verify.cases import (
    Cases,
    CaseView,
    case_view,
    check_open,
    check_owner,
    checked_deadline,
    completed,
    known_case,
    redeemed_subjects,
    revoked,
    revoked_links,
)
from verify.clients import Client
from verify.details import check_details
from verify.enrolment import Enrolment, NewOrganisation, NewSubject, on_behalf_of, tombstone
from verify.erasure import blobs_of
from verify.errors import Conflict, NotFound
from verify.former import forgotten, left_behind
from verify.references import blob_name
from verify.roster import check_roster
from verify.standing import check_kept
from verify.store import Change

NewEntry = NewSubject | NewOrganisation


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChanges:
    """Fields of a case that shall change; UNSET stay. None of `external_id` clears it."""

    document_sha256: str | UnsetType = UNSET
    details: Details | UnsetType = UNSET
    deadline: datetime | UnsetType = UNSET
    external_id: str | UnsetType | None = UNSET
    metadata: Mapping[str, str] | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """A file with a change in it, before what follows from it."""

    file: CaseFile
    event: str
    details: Mapping[str, Detail]
    touched: frozenset[str] = frozenset()
    """Ids of the subjects who must verify anew."""
    roster: bool = True
    """Whether the change counts the roster version up."""
    blobs: Mapping[str, bytes | None] = field(default_factory=dict)


Amendment = Callable[[CaseFile, Action, float], Amended]
"""Changes a file at a time (Unix seconds), or raises what stands against it."""


class _UnchangedError(Exception):
    """The case is as it was asked to be: nothing to do, and nothing to revoke."""


@dataclass(frozen=True, slots=True)
class Amendments:
    """Changes open cases. All methods raise NotFound `case_unknown` and Conflict `case_not_open`, `already_redeemed`,
    and what `check_roster` refuses."""

    cases: Cases

    async def add(self, client: Client, case_id: str, new: NewEntry) -> CaseView:
        """Add a person or an organisation. Raises also what `Enrolment` refuses."""
        enrolment = await self._enrolment(client, new)

        def amendment(file: CaseFile, action: Action, now: float) -> Amended:
            if isinstance(new, NewOrganisation):
                organisation = enrolment.organisation(action, new)
                details: dict[str, Detail] = {"organisation": organisation.id}
                return Amended(file=file.with_(organisation), event="organisation.added", details=details)
            subject, portrait = enrolment.subject(file, action, new, now=now)
            return Amended(
                file=file.with_(subject),
                event="subject.added",
                details={"subject": subject.id},
                blobs={blob_name(subject): portrait},
            )

        return await self._amend(client, case_id, amendment)

    async def replace(self, client: Client, case_id: str, entry_id: str, new: NewEntry) -> CaseView:
        """Put a person or an organisation in the place of one of the same kind; without a photo it must be the same
        person. Fields that are as they were touch nobody.

        Raises:
            NotFound: `subject_unknown`, `appointment_unknown`. Gone: `content_erased`. What `Enrolment` refuses.
        """
        enrolment = await self._enrolment(client, new)

        def amendment(file: CaseFile, action: Action, now: float) -> Amended:
            if isinstance(new, NewOrganisation):
                return _with_organisation(file, entry_id, enrolment.organisation(action, new, known_id=entry_id))
            if entry_id not in file.roster:
                raise _entry_unknown()
            old = file.roster[entry_id]
            check_kept(old)
            return _with_subject(file, old, *enrolment.replacement(file, action, old, new, now=now))

        return await self._amend(client, case_id, amendment)

    async def remove(self, client: Client, case_id: str, entry_id: str) -> CaseView:
        """Take a person off the roster, or an organisation with those who sign for it; their data are erased for good.

        Raises:
            NotFound: `subject_unknown`. Unavailable: `key_damaged` if they have gone, and only backups still hold them.
        """

        def amendment(file: CaseFile, _: Action, __: float) -> Amended:
            if entry_id in file.legal_persons:
                organisation = replace(file.legal_persons[entry_id], removed=True)
                signing = _signatories(file, organisation.credit_code)
                return _without(file.with_(organisation), signing, "organisation.removed", {"organisation": entry_id})
            if entry_id not in file.roster:
                raise _entry_unknown()
            return _without(file, (file.roster[entry_id],), "subject.removed", {"subject": entry_id})

        view = await self._amend(client, case_id, amendment)
        await asyncio.to_thread(self._erase_removed, view.file)
        return view

    def _erase_removed(self, file: CaseFile) -> None:
        """After the commit: who is still on the roster must not lose anything."""
        vault, case_id = self.cases.vault, file.case.id
        for subject in file.subjects.values():
            if subject.removed and not vault.is_erased(case_id, subject.id):
                vault.erase(case_id, subject.id)

    async def change(self, client: Client, case_id: str, changes: CaseChanges) -> CaseView:
        """Change fields of the case itself.

        Raises:
            Invalid: `deadline_invalid`, `text_invalid`, `amount_invalid`.
        """
        if changes.external_id is not UNSET:
            view = await self.cases.get(client, case_id)
            await self.cases.index(client, changes.external_id, view.file.case)

        def amendment(file: CaseFile, _: Action, now: float) -> Amended:
            return _changed(file, changes, now)

        return await self._amend(client, case_id, amendment)

    async def _amend(self, client: Client, case_id: str, amendment: Amendment) -> CaseView:
        view = await self.cases.get(client, case_id)
        action = await self.cases.actions.find(client, view.file.case.action)
        epoch = await self.cases.store.epoch()

        def transition(file: CaseFile, now: float) -> Change[CaseView]:
            check_owner(file, client)
            check_open(file.case, now)
            amended = amendment(file, action, now)
            if amended.touched & redeemed_subjects(file):
                raise Conflict(
                    "already_redeemed", "a person whom this touches is redeemed: cancel, and open a new case"
                )
            void = revoked(amended.file, amended.touched)
            after = amended.file.with_(*void, *revoked_links(amended.file, amended.touched))
            if amended.roster:
                after = after.with_(replace(after.case, roster_version=after.case.roster_version + 1))
                check_roster(after, action, self.cases.minimum)
                after = completed(after)
            details = {**amended.details, "revoked": tuple(each.id for each in void)}
            event = Event(name=amended.event, actor=f"client:{client.id}", details=details)
            return Change(after=after, event=event, value=case_view(after, now=now, epoch=epoch), blobs=amended.blobs)

        try:
            return await self.cases.store.transact(known_case(case_id), transition, durable=True)
        except _UnchangedError:
            return await self.cases.get(client, case_id)

    async def _enrolment(self, client: Client, new: NewEntry) -> Enrolment:
        people = (new,) if isinstance(new, NewSubject) else ()
        await self.cases.check_photos(client, people)
        return await self.cases.enrolment(client, people)


def _with_subject(file: CaseFile, old: Subject, subject: Subject, portrait: bytes | None) -> Amended:
    if replace(subject, stateless_hash=old.stateless_hash) == old:  # which `id_hash` implies; earlier records lack it
        raise _UnchangedError
    left = left_behind(file, old) if subject.id_hash != old.id_hash else ()
    return Amended(
        file=file.with_(subject, *left),
        event="subject.replaced",
        details={"subject": subject.id},
        touched=frozenset((subject.id,)),
        blobs={} if subject.reference_version == old.reference_version else {blob_name(subject): portrait},
    )


def _with_organisation(file: CaseFile, entry_id: str, organisation: Organisation) -> Amended:
    if entry_id not in file.legal_persons:
        raise _entry_unknown()
    old = file.legal_persons[entry_id]
    if organisation == old:
        raise _UnchangedError
    behalf = on_behalf_of(organisation)
    signing = [replace(each, on_behalf_of=behalf) for each in _signatories(file, old.credit_code)]
    return Amended(
        file=file.with_(organisation, *signing),
        event="organisation.replaced",
        details={"organisation": entry_id},
        touched=frozenset(each.id for each in signing),
    )


def _without(file: CaseFile, people: tuple[Subject, ...], event: str, details: Mapping[str, Detail]) -> Amended:
    ids = frozenset(subject.id for subject in people)
    return Amended(
        file=file.with_(*(tombstone(subject) for subject in people), *forgotten(file, ids)),
        event=event,
        details=details,
        touched=ids,
        blobs=blobs_of(file, people),
    )


def _changed(file: CaseFile, changes: CaseChanges, now: float) -> Amended:
    case = file.case
    after = replace(
        case,
        document_sha256=case.document_sha256 if changes.document_sha256 is UNSET else changes.document_sha256,
        details=case.details if changes.details is UNSET else check_details(changes.details),
        deadline=case.deadline if changes.deadline is UNSET else checked_deadline(changes.deadline, now),
        external_id=case.external_id if changes.external_id is UNSET else changes.external_id,
        metadata=case.metadata if changes.metadata is UNSET else changes.metadata,
    )
    names = ("document_sha256", "details", "deadline", "external_id", "metadata")
    different = tuple(name for name in names if getattr(after, name) != getattr(case, name))
    if not different:
        raise _UnchangedError
    content = not {"document_sha256", "details"}.isdisjoint(different)
    return Amended(
        file=file.with_(after),
        event="case.changed",
        details={"fields": different},
        touched=frozenset(file.roster) if content else frozenset(),
        roster=content,
    )


def _signatories(file: CaseFile, credit_code: str) -> tuple[Subject, ...]:
    return tuple(
        subject
        for subject in file.roster.values()
        if subject.on_behalf_of is not None
        and (subject.on_behalf_of.kind, subject.on_behalf_of.id) == ("organisation", credit_code)
    )


def _entry_unknown() -> NotFound:
    return NotFound("subject_unknown", "the roster has no such entry, or one of the other kind")
