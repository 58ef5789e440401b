"""The decision: a pure, monotonic function of evidence and policy.

A list of rules is tried in order; the first that objects decides. A rule never sees names, pixels or the network,
and better evidence never turns `Accepted` into anything else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from liveness.report import CueOutcome, Status
from liveness.thresholds import ALTERNATIVE
from verify.evidence import Evidence
from verify.policy import Policy


class Reason(StrEnum):
    """Why a session was not accepted. Stays inside, in the sealed audit; `public_outcome` says what may leave."""

    INTERRUPTED = "interrupted"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    TOO_DARK = "too_dark"
    BLURRED = "blurred"
    CUE_NOT_ANSWERED = "cue_not_answered"
    WRONG_MOTION = "wrong_motion"
    MISMATCH = "mismatch"
    LIVENESS = "liveness"
    LIVENESS_INCONCLUSIVE = "liveness_inconclusive"
    CONTRACT = "contract"
    NOT_MEASURED = "not_measured"
    FRAUD = "fraud"
    """Seen in comparison with other sessions only: `verify.fraud`."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The live person is the one on the reference."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not convincing yet, and the person can do something about it."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not the person on the reference, or not a live person."""

    reason: Reason
    signal: str | None = None
    """Name of the liveness signal that decided, if one did."""


@dataclass(frozen=True, slots=True)
class Referred:
    """The machine cannot tell: the counter window decides."""

    reason: Reason
    signal: str | None = None


Decision = Accepted | Retry | Rejected | Referred
Rule = Callable[[Evidence, Policy], Decision | None]


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Judge one session. Pure; `Accepted` only if no rule objects."""
    objections = (rule(evidence, policy) for rule in RULES)
    return next((objection for objection in objections if objection is not None), Accepted())


def _same_contract(evidence: Evidence, policy: Policy) -> Decision | None:
    """A cosine means nothing under the threshold of other weights."""
    return None if evidence.contract == policy.contract else Referred(Reason.CONTRACT)


def _attack_signal(evidence: Evidence, policy: Policy) -> Decision | None:
    """A signal that says attack outweighs every excuse below."""
    rejecting = policy.liveness.fusion.rejecting
    signals = (signal for signal in evidence.liveness.signals if signal.name in rejecting)
    failed = next((signal for signal in signals if signal.status is Status.FAIL), None)
    return Rejected(Reason.LIVENESS, failed.name) if failed else None


def _mismatch(evidence: Evidence, policy: Policy) -> Decision | None:
    """Another face, in the mean or in a single frame, once enough frames were compared."""
    if evidence.compared_frames < policy.compared_frames:
        return None
    measured = isfinite(evidence.similarity) and isfinite(evidence.least_similarity)
    if not measured:
        return Retry(Reason.NOT_MEASURED)
    same = evidence.similarity >= policy.similarity and evidence.least_similarity >= policy.least_similarity
    return None if same else Rejected(Reason.MISMATCH)


def _uninterrupted(evidence: Evidence, _: Policy) -> Decision | None:
    return Retry(Reason.INTERRUPTED) if evidence.interrupted else None


def _one_face(evidence: Evidence, policy: Policy) -> Decision | None:
    if not evidence.several_faces_share <= policy.several_faces_share:
        return Retry(Reason.SEVERAL_FACES)
    return None if evidence.no_face_share <= policy.no_face_share else Retry(Reason.NO_FACE)


def _cues_answered(evidence: Evidence, _: Policy) -> Decision | None:
    """All that was asked was answered, and all was asked that had to be."""
    outcomes = [report.outcome for report in evidence.liveness.cues]
    if CueOutcome.WRONG_MOTION in outcomes:
        return Retry(Reason.WRONG_MOTION)
    answered = bool(outcomes) and all(outcome is CueOutcome.ANSWERED for outcome in outcomes)
    return None if answered and evidence.liveness.complete else Retry(Reason.CUE_NOT_ANSWERED)


def _good_pictures(evidence: Evidence, policy: Policy) -> Decision | None:
    """Comparisons written so that NaN objects."""
    if not evidence.eye_distance_px >= policy.eye_distance_px:
        return Retry(Reason.FACE_TOO_SMALL)
    if not evidence.brightness >= policy.brightness:
        return Retry(Reason.TOO_DARK)
    return None if evidence.sharpness >= policy.sharpness else Retry(Reason.BLURRED)


def _compared(evidence: Evidence, policy: Policy) -> Decision | None:
    return None if evidence.compared_frames >= policy.compared_frames else Retry(Reason.NOT_MEASURED)


def _conclusive(evidence: Evidence, policy: Policy) -> Decision | None:
    """The required signals pass, of alternatives one: missing liveness evidence is never a pass."""
    required = policy.liveness.fusion.required.get(evidence.liveness.repertoire, ())
    passed = {signal.name for signal in evidence.liveness.signals if signal.status is Status.PASS}
    unclear = next((each for each in required if passed.isdisjoint(each.split(ALTERNATIVE))), None)
    if required and unclear is None:
        return None
    return Referred(Reason.LIVENESS_INCONCLUSIVE, unclear)


def _trusted(evidence: Evidence, policy: Policy) -> Decision | None:
    """What supports the required signals is strong enough together."""
    trusted = evidence.liveness.trust >= policy.liveness.fusion.trust
    return None if trusted else Referred(Reason.LIVENESS_INCONCLUSIVE, "trust")


RULES: tuple[Rule, ...] = (
    _same_contract,
    _attack_signal,
    _mismatch,
    _uninterrupted,
    _one_face,
    _cues_answered,
    _good_pictures,
    _compared,
    _conclusive,
    _trusted,
)

NOT_VERIFIED = "not_verified"
"""The one public code for mismatch and for every attack signal: which one it was is a hill to climb."""


def public_outcome(decision: Decision) -> tuple[str, str | None]:
    """What may leave the system: outcome (`accepted`, `retry`, `rejected`, `referred`) and public reason code."""
    match decision:
        case Accepted():
            return "accepted", None
        case Retry(reason):
            return "retry", _PUBLIC_RETRY.get(reason, "try_again")
        case Rejected():
            return "rejected", NOT_VERIFIED
        case Referred():
            return "referred", "use_window"


_PUBLIC_RETRY = {
    Reason.INTERRUPTED: "interrupted",
    Reason.NO_FACE: "no_face",
    Reason.SEVERAL_FACES: "several_faces",
    Reason.FACE_TOO_SMALL: "come_closer",
    Reason.TOO_DARK: "more_light",
    Reason.BLURRED: "hold_still",
    Reason.CUE_NOT_ANSWERED: "follow_the_cues",
    Reason.WRONG_MOTION: "follow_the_cues",
}
