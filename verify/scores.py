"""The sealed log of scores: what a session measured and why it was decided so, for the auditor's eyes alone.

All scalars of a decision are encrypted to the auditor's public key (JWE, ECDH-ES over X25519); the service cannot read
them back. The audit entry of the decision holds the SHA-256 of the sealed text, so that nothing can be exchanged later.
Around it lies the vault's own encryption: erasing a person erases their scores too, also in backups.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import msgspec

from verify.audit import AuditEntry, verify_chain
from verify.casefile import CaseFile, Session
from verify.decision import Decision
from verify.errors import Gone
from verify.evidence import Evidence
from verify.fraud import FraudEvidence
from verify.jose import SealingKey, SealInvalidError, seal_for, unseal
from verify.store import Store
from verify.vault import Vault

DETAIL = "scores_sha256"
"""Detail of the audit entry that names the sealed text."""

Outcome = Literal["unsealed", "erased", "changed", "sealed_for_another"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One decision with all that it was made on."""

    case: str
    session: str
    subject: str
    policy: str
    decision: str
    """`Accepted`, `Retry`, `Rejected` or `Referred`."""
    reason: str | None
    """The true reason, which never leaves otherwise."""
    signal: str | None
    fraud: dict[str, float | None] = field(default_factory=dict)
    """Every field of `verify.fraud.FraudEvidence`; what there was nothing to compare with is null."""
    evidence: dict[str, Any]
    """Every field of `verify.evidence.Evidence`; what could not be measured is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed:
    """The scores of one session, or why they cannot be read."""

    session: str
    subject: str
    at: float
    """When it was decided; Unix seconds by the store's clock."""
    outcome: Outcome
    scores: Scores | None = None


def seal_scores(
    decision: Decision,
    evidence: Evidence,
    *,
    fraud: FraudEvidence,
    case_id: str,
    session_id: str,
    subject_id: str,
    policy: str,
    key: SealingKey,
) -> str:
    """Sealed text of one decision. Two texts of the same scores differ."""
    reason = getattr(decision, "reason", None)
    scores = Scores(
        case=case_id,
        session=session_id,
        subject=subject_id,
        policy=policy,
        decision=type(decision).__name__,
        reason=None if reason is None else str(reason),
        signal=getattr(decision, "signal", None),
        fraud=msgspec.to_builtins(fraud),
        evidence=msgspec.to_builtins(evidence),
    )
    return seal_for(msgspec.json.encode(scores), key=key)


def text_hash(sealed: str) -> str:
    """What the audit entry says about a sealed text."""
    return sha256(sealed.encode()).hexdigest()


def blob_name(session_id: str) -> str:
    """Where the sealed scores of a session are kept."""
    return f"evidence:{session_id}"


def binding(subject_id: str, session_id: str) -> tuple[str, ...]:
    """What the vault binds them to."""
    return (subject_id, "evidence", session_id)


async def unsealed(
    store: Store, vault: Vault, case_id: str, *, key: SealingKey, since: float = 0.0
) -> AsyncIterator[Unsealed]:
    """The scores of every decision of a case from a time on (Unix seconds), in order, as its audit chain tells of them.

    Raises:
        NotFound: `case_unknown`. audit.AuditChainBrokenError: the chain itself does not hold.
    """
    file, _ = await store.load(case_id)
    for entry in verify_chain(await store.audit(case_id), expected_head=file.head):
        if DETAIL in entry.details and entry.at >= since:
            yield await _open(store, vault, file, entry, key=key)


async def _open(store: Store, vault: Vault, file: CaseFile, entry: AuditEntry, *, key: SealingKey) -> Unsealed:
    session = file.sessions[str(entry.details["session"])]
    found: Outcome = "unsealed"
    scores: Scores | None = None
    stored = await store.blob(file.case.id, blob_name(session.id))
    try:
        text = _outer(stored, vault, file, session)
        if text_hash(text) != entry.details[DETAIL]:
            found = "changed"
        else:
            scores = msgspec.json.decode(unseal(text, key=key), type=Scores)
    except Gone:
        found = "erased"
    except SealInvalidError:
        found = "sealed_for_another"
    return Unsealed(session=session.id, subject=session.subject_id, at=entry.at, outcome=found, scores=scores)


def _outer(stored: bytes | None, vault: Vault, file: CaseFile, session: Session) -> str:
    if stored is None:
        raise Gone("content_erased", "the scores were erased")
    bound_to = binding(session.subject_id, session.id)
    return vault.open(stored, case_id=file.case.id, wrapped_key=file.case.wrapped_key, bound_to=bound_to).decode()
