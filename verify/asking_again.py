"""A case asks its client for an ID photo again: in `reference_reason`, and by a notice, once."""

from contextlib import suppress
from dataclasses import replace

from verify.audit import Event
from verify.casefile import CaseFile, Subject
from verify.reference_contract import OUTDATED, check_comparable, is_comparable
from verify.store import Change, Store


async def require_comparable(store: Store, file: CaseFile, subject_id: str, *, expected_contract: str) -> None:
    """As `verify.reference_contract.check_comparable`, and the case says so to its client."""
    subject = file.subjects[subject_id]
    if is_comparable(subject, expected_contract=expected_contract):
        return
    if subject.reference_reason != OUTDATED:
        await _ask_again(store, file.case.id, subject)
    check_comparable(subject, expected_contract=expected_contract)


async def _ask_again(store: Store, case_id: str, before: Subject) -> None:
    def transition(file: CaseFile, _: float) -> Change[None]:
        if file.subjects[before.id] != before:
            raise _SupersededError
        asking = replace(before, reference_reason=OUTDATED)
        details = {"subject": before.id, "reason": OUTDATED}
        event = Event(name="reference.outdated", actor="service", details=details)
        return Change(after=file.with_(asking), event=event, value=None)

    with suppress(_SupersededError):
        await store.transact(case_id, transition)


class _SupersededError(Exception):
    """The subject has changed meanwhile."""
