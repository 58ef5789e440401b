"""Signs of fraud that one session alone cannot show, and what follows from them. Pure.

They never make a decision better. What they were stays inside, like every other reason: a person whose face was seen
before hears the same as one whose attempt cannot be decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from models.embedding import Embedding
from verify.decision import Accepted, Decision, Reason, Referred, Rejected
from verify.fraud_policy import Does, FraudPolicy, FraudRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a session leaves for others to be compared with. In memory; kept sealed, and for a time."""

    face: Embedding | None = None
    """Mean of the live face; None if no frame counted."""
    fingerprints: bytes = field(default=b"", repr=False)
    """Joined, of the frames that showed a face, in order: `models.fingerprint`."""
    digests: bytes = field(default=b"", repr=False)
    """Joined, `DIGEST_BYTES` of the SHA-256 of each of these frames as it came."""
    address: str | None = field(default=None, repr=False)
    """IP address that the session was claimed from; None if there is none, as on a Unix socket."""


NO_TRACES = Traces()
DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudEvidence:
    """What was measured, by the names of the policy's rules. None: there was nothing to compare with."""

    face_in_case: float | None = None
    face_across_cases: float | None = None
    same_frames: float | None = None
    similar_frames: float | None = None
    pace: float | None = None
    device_pace: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudSign:
    """A rule that fired."""

    name: str
    does: Does

    @property
    def code(self) -> str:
        """As the audit entry has it."""
        return f"{self.name}:{self.does}"


def fraud_signs(evidence: FraudEvidence, policy: FraudPolicy) -> tuple[FraudSign, ...]:
    """The rules that fire, the gravest consequence first."""
    measured: Mapping[str, float | None] = {each.name: getattr(evidence, each.name) for each in fields(evidence)}
    fired = (
        FraudSign(name=name, does=rule.does)
        for name, value in measured.items()
        if value is not None and _fires(value, rule := getattr(policy, name))
    )
    return tuple(sorted(fired, key=lambda sign: _GRAVITY[sign.does], reverse=True))


def with_fraud(decision: Decision, signs: tuple[FraudSign, ...]) -> Decision:
    """The decision in the light of these signs: an accepted one may be refused or referred, no other changes."""
    if not isinstance(decision, Accepted) or not signs:
        return decision
    match signs[0].does:
        case "refuse":
            return Rejected(Reason.FRAUD, signs[0].name)
        case "refer":
            return Referred(Reason.FRAUD, signs[0].name)
        case "flag":
            return decision


def _fires(value: float, rule: FraudRule) -> bool:
    """Written so that NaN fires: what cannot be compared is not in order."""
    return not value < rule.at_least


_GRAVITY: Mapping[Does, int] = {"flag": 0, "refer": 1, "refuse": 2}
