"""Former people: who stood in a place on the roster where the client has put another person since.

What they left there stays under the subject's id: verifications, which are void, and links by which to object. It is
theirs for good: it tells nothing of whoever stands there now, and touches nothing of theirs. Whoever comes back is the
person of their earlier links again.
"""

from collections.abc import Collection
from dataclasses import replace

from verify.casefile import CaseFile, DisputeLink, Receipt, Subject, Verification


def left_behind(file: CaseFile, leaving: Subject) -> tuple[DisputeLink | Verification, ...]:
    """What is of the person who stands in a place, marked as theirs because another is about to stand there."""
    links = (
        replace(each, former=_as_remembered(leaving))
        for each in file.dispute_links.values()
        if each.subject_id == leaving.id and each.former is None
    )
    verifications = (
        replace(each, former=leaving.id_hash)
        for each in file.verifications.values()
        if each.subject_id == leaving.id and each.former is None
    )
    return (*links, *verifications)


def forgotten(file: CaseFile, subjects: Collection[str]) -> tuple[DisputeLink | Verification, ...]:
    """What former people left in these places (ids), without what tells who they were."""
    left: tuple[DisputeLink | Verification, ...] = (*file.dispute_links.values(), *file.verifications.values())
    return tuple(replace(each, former=None) for each in left if each.subject_id in subjects and each.former is not None)


def is_present(file: CaseFile, link: DisputeLink) -> bool:
    """Whether the person of a link stands in its place now."""
    return link.former is None or link.former.id_hash == file.subjects[link.subject_id].id_hash


def told_of(file: CaseFile, link: DisputeLink) -> Subject:
    """What a link tells of its person: as they stand in their place, or as they stood there last."""
    if link.former is None or is_present(file, link):
        return file.subjects[link.subject_id]
    return link.former


def verifications_behind(file: CaseFile, link: DisputeLink) -> tuple[Verification, ...]:
    """The verifications of the person of a link, in its place."""
    person = told_of(file, link).id_hash
    return tuple(
        each
        for each in file.verifications.values()
        if each.subject_id == link.subject_id and _person_of(file, each) == person
    )


def receipts_behind(file: CaseFile, link: DisputeLink) -> tuple[Receipt, ...]:
    """What the verifications of the person of a link were used for."""
    ids = {each.id for each in verifications_behind(file, link)}
    return tuple(each for each in file.receipts.values() if each.verification_id in ids)


def disputed(file: CaseFile) -> frozenset[str]:
    """Ids of the subjects whose present person has reported that it was not they."""
    reported = (each for each in file.dispute_links.values() if each.disputed_at is not None)
    return frozenset(each.subject_id for each in reported if is_present(file, each))


def _person_of(file: CaseFile, verification: Verification) -> str:
    return file.subjects[verification.subject_id].id_hash if verification.former is None else verification.former


def _as_remembered(leaving: Subject) -> Subject:
    """No more than a link tells, and by whom it is told."""
    return replace(leaving, name_sealed=b"", id_masked="", id_sealed=b"", reference_warnings=(), stateless_hash="")
