"""How a subject stands: whose verification counts now, and for how long."""

from enum import StrEnum

from verify.casefile import CaseFile, ReferenceState, Subject, Verification, VerificationState
from verify.errors import Gone


class Standing(StrEnum):
    """How far one person of the roster is."""

    PENDING = "pending"
    VERIFIED = "verified"
    REDEEMED = "redeemed"
    DECLINED = "declined"
    REFERENCE_UNUSABLE = "reference_unusable"
    ERASED = "erased"


def standing(file: CaseFile, subject_id: str, *, now: float, epoch: int) -> Standing:
    """How a subject stands at a time (Unix seconds by the store's clock), in the store's epoch."""
    own = verifications_of(file, subject_id)
    if any(each.state is VerificationState.REDEEMED for each in own):
        return Standing.REDEEMED
    if any(is_valid(each, now=now, epoch=epoch) for each in own):
        return Standing.VERIFIED
    return _without_verification(file.subjects[subject_id])


def is_verified(file: CaseFile, subject_id: str, *, now: float, epoch: int) -> bool:
    """Whether there is nothing left to do for this subject: redeemed, or verified and still valid."""
    return standing(file, subject_id, now=now, epoch=epoch) in {Standing.VERIFIED, Standing.REDEEMED}


def is_valid(verification: Verification, *, now: float, epoch: int) -> bool:
    """Active, not past its time, and not from before a restored backup."""
    return (
        verification.state is VerificationState.ACTIVE
        and now < verification.valid_until
        and verification.epoch == epoch
    )


def verifications_of(file: CaseFile, subject_id: str) -> tuple[Verification, ...]:
    """All verifications of a subject."""
    return tuple(each for each in file.verifications.values() if each.subject_id == subject_id)


def check_kept(subject: Subject) -> None:
    """Whether a subject can go on at all. Raises Gone `content_erased` if its person was erased."""
    if not subject.id_hash:
        message = (
            "this person was erased for good: add whoever takes the place to the roster, then remove this entry; or "
            "cancel the case"
        )
        raise Gone("content_erased", message)


def _without_verification(subject: Subject) -> Standing:
    if not subject.id_hash:
        return Standing.ERASED
    if subject.reference_state is ReferenceState.ERASED:
        return Standing.DECLINED
    return Standing.REFERENCE_UNUSABLE if subject.reference_state is ReferenceState.UNUSABLE else Standing.PENDING
