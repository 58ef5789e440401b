"""Templates of other models than those in use: nothing can be compared with them, so the case asks for the photo again.

Nothing is erased and nobody's attempt is taken: an operator who goes back to the earlier models finds all as it was.
"""

from dataclasses import replace

from verify.casefile import ReferenceState, Subject
from verify.errors import Conflict

OUTDATED = "reference_contract_mismatch"
"""Why a template cannot be used."""


def is_comparable(subject: Subject, *, expected_contract: str) -> bool:
    """Whether a subject's template, if there is one already, was made by the models in use."""
    return subject.reference_state is not ReferenceState.TEMPLATE or subject.reference_contract == expected_contract


def check_comparable(subject: Subject, *, expected_contract: str) -> None:
    """Raises Conflict `reference_contract_mismatch`."""
    if not is_comparable(subject, expected_contract=expected_contract):
        message = (
            "the ID photo became a template of other models than those in use now: the registration service must "
            "replace the subject's reference with the photo, and pass on a new link; nothing was used up"
        )
        raise Conflict(OUTDATED, message)


def comparable_again(subject: Subject) -> Subject:
    """The subject without the reason, once the models that made its template are in use again."""
    return replace(subject, reference_reason=None) if subject.reference_reason == OUTDATED else subject
