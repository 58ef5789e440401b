"""What every change by two operators has in common: who did an entry of their chain, and who may approve."""

from collections.abc import Mapping

from verify.audit import AuditEntry
from verify.errors import Refused
from verify.operators import Operator

_FAMILY = "operator"


def actor(operator: Operator) -> str:
    """As an audit entry names them."""
    return f"{_FAMILY}:{operator.id}"


def operator_of(entry: AuditEntry) -> str | None:
    """The id of the operator who did it; None if no operator did."""
    family, _, operator = entry.actor.partition(":")
    return operator if family == _FAMILY and operator else None


def said(entry: AuditEntry, name: str) -> str | None:
    """A text of an entry; None if it has none."""
    value = entry.details.get(name)
    return value if isinstance(value, str) and value else None


def check_other(operator: Operator, *, proposed_by: str, known: Mapping[str, Operator]) -> None:
    """Two different people, both of whom hold a key now.

    Args:
        operator: who approves.
        proposed_by: the id of who proposed.
        known: all operators by id.

    Raises:
        Refused: `proposal_own`, `proposal_orphaned`.
    """
    proposer = known.get(proposed_by)
    if proposer is None or proposer.revoked:
        message = f"the key of {proposed_by}, who proposed it, was revoked: withdraw it, and propose it anew"
        raise Refused("proposal_orphaned", message)
    if operator.id == proposer.id or operator.name.casefold() == proposer.name.casefold():
        message = "whoever proposed it cannot approve it: another operator must, by another name"
        raise Refused("proposal_own", message)
