"""Erasing people and cases, and the clock by which cases are erased.

First the secret on the shelf is taken away, which erases the content wherever it lies; then the store is cleared, and
the case's chain says so: an erasure appends an entry and breaks nothing. If the second step fails it is taken again.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from verify import scores
from verify.audit import Detail, Event
from verify.casefile import NO_DETAILS, CaseFile, CaseState, InviteState, ReferenceState, Subject, VerificationState
from verify.cases import find_subject, known_case, state_at
from verify.enrolment import anonymous
from verify.errors import CaseDamaged, NotFound
from verify.former import forgotten
from verify.ledger import Marked
from verify.operators import OPERATORS_CHAIN
from verify.references import blob_name
from verify.store import Change, OnDamage, Store
from verify.vault import Vault

DAY_SECONDS = 86400.0

STORED = frozenset({ReferenceState.PORTRAIT, ReferenceState.TEMPLATE})
"""States in which something of a face is kept."""

FACES_TO_REPORT = 100_000
"""Stored faces from which on the authority must be told (rules on face recognition, in force since 2025-06-01)."""

ERASED = ("name", "id", "reference", "contacts", "scores")

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasures:
    """Erases at once, or when a case has been over for `retention_days`. One damaged case keeps no other waiting."""

    store: Store
    vault: Vault
    retention_days: float
    damaged: OnDamage

    async def erase_subject(self, case_id: str, subject_id: str, *, actor: str) -> bool:
        """Erase one person of a case: name, id, reference, contacts, scores. False if there was nothing left.

        What they verified and nobody has redeemed yet is void. Receipts and the audit chain stay: they hold ids only.

        Raises:
            NotFound: `case_unknown`, `subject_unknown`. Unavailable: repeat it.
        """
        file, _ = await self.store.load(known_case(case_id))
        subject = find_subject(file, subject_id)
        await asyncio.to_thread(self.vault.erase, case_id, subject_id)
        if subject == anonymous(subject):
            return False

        def transition(file: CaseFile, _: float) -> Change[bool]:
            details: Mapping[str, Detail] = {"subject": subject_id, "erased": ERASED}
            event = Event(name="subject.erased", actor=actor, details=details)
            found = (file.subjects[subject_id],)
            return Change(after=_without(file, found), event=event, value=True, blobs=blobs_of(file, found))

        return await self.store.transact(case_id, transition, durable=True)

    async def erase_case(self, case_id: str, *, actor: str, reason: str) -> bool:
        """Erase everybody of a case, what the client wrote about it, and its key. False if that was done before.

        Raises:
            NotFound: `case_unknown`. Unavailable: repeat it.
        """
        file, _ = await self.store.load(known_case(case_id))
        await asyncio.to_thread(self.vault.erase, case_id)
        if not file.case.wrapped_key:
            return False

        def transition(file: CaseFile, _: float) -> Change[bool]:
            everybody = tuple(file.subjects.values())
            event = Event(name="case.erased", actor=actor, details={"reason": reason, "subjects": tuple(file.subjects)})
            emptied = replace(file.case, wrapped_key=b"", details=NO_DETAILS, metadata={})
            after = _without(file, everybody).with_(emptied)
            return Change(after=after, event=event, value=True, blobs=blobs_of(file, everybody))

        return await self.store.transact(case_id, transition, durable=True)

    async def keep_clock(self, marked: Iterable[Marked]) -> None:
        """Note of cases that have changed when they end, and how many faces they store."""
        for mark in marked:
            if mark.case == OPERATORS_CHAIN:
                continue
            try:
                file, now = await self.store.load(mark.case)
            except NotFound:
                continue  # it was marked, and its creation then failed
            except CaseDamaged:
                self.damaged(mark.case)
                continue
            await self.store.ledger.note_faces(mark.case, stored_faces(file))
            state = state_at(file.case, now)
            if file.case.wrapped_key:
                ends_at = file.case.deadline if state in {CaseState.OPEN, CaseState.EXPIRED} else mark.since
                await self.store.ledger.note_end(mark.case, ends_at, final=state is not CaseState.OPEN)

    async def erase_due(self) -> int:
        """Erase the cases that have been over for as long as they may be kept; how many were."""
        now = await self.store.now()
        due = await self.store.ledger.ended(before=now - self.retention_days * DAY_SECONDS, limit=BATCH)
        for case_id in due:
            await self._erase_if_over(case_id)
        return len(due)

    async def erase_again(self) -> int:
        """After a backup of the store was restored: clear it of what was erased since; how many people.

        Their content cannot be opened anyway; this removes what is left of them, such as masked names.
        """
        again = 0
        async for case_id in self.store.ledger.cases():
            try:
                file, _ = await self.store.load(case_id)
            except CaseDamaged:
                self.damaged(case_id)
                continue
            for subject in file.subjects.values():
                if subject != anonymous(subject) and await asyncio.to_thread(self.vault.is_erased, case_id, subject.id):
                    again += await self.erase_subject(case_id, subject.id, actor="service")
        return again

    async def _next_look(self) -> float:
        """An end (Unix seconds) after which a case is due in a day."""
        return await self.store.now() - (self.retention_days - 1) * DAY_SECONDS

    async def _erase_if_over(self, case_id: str) -> None:
        try:
            file, now = await self.store.load(case_id)
        except NotFound:
            await self.store.ledger.forget_end(case_id)
            return
        except CaseDamaged:
            self.damaged(case_id)
            await self.store.ledger.note_end(case_id, await self._next_look(), final=False)
            return
        if state_at(file.case, now) is CaseState.OPEN:  # its deadline was moved
            await self.store.ledger.note_end(case_id, file.case.deadline, final=False)
            return
        await self.erase_case(case_id, actor="service", reason="retention")
        await self.store.ledger.note_faces(case_id, 0)
        await self.store.ledger.forget_end(case_id)


def stored_faces(file: CaseFile) -> int:
    """How many portraits and templates a case stores."""
    return sum(subject.reference_state in STORED for subject in file.subjects.values())


def faces_advice(count: int) -> str:
    """What an operator should know about the number of stored faces."""
    found = f"{count} faces are stored"
    if count < FACES_TO_REPORT:
        return found
    return f"{found}: from {FACES_TO_REPORT} on the authority must be told (rules on face recognition, 2025-06-01)"


def _without(file: CaseFile, people: Iterable[Subject]) -> CaseFile:
    """The file with these people erased, their links dead, and what they verified and did not redeem revoked."""
    ids = {subject.id for subject in people}
    file = file.with_(*forgotten(file, ids))
    links = [
        replace(invite, state=InviteState.REVOKED)
        for invite in file.invites.values()
        if invite.subject_id in ids and invite.state is not InviteState.DECLINED
    ]
    void = [
        replace(each, state=VerificationState.REVOKED)
        for each in file.verifications.values()
        if each.subject_id in ids and each.state is VerificationState.ACTIVE
    ]
    return file.with_(*(anonymous(file.subjects[each]) for each in ids), *links, *void)


def blobs_of(file: CaseFile, people: Iterable[Subject]) -> Mapping[str, bytes | None]:
    """References and scores of these people, to be deleted."""
    people = tuple(people)
    ids = {subject.id for subject in people}
    names = [blob_name(subject) for subject in people]
    names += [scores.blob_name(session.id) for session in file.sessions.values() if session.subject_id in ids]
    return dict.fromkeys(names)
