"""What a session's observations say about liveness: values that the decision reads and the sealed audit keeps."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.challenge import Cue, Repertoire
from liveness.light import LightAnswer


class CueOutcome(StrEnum):
    """How one cue ended."""

    ANSWERED = "answered"
    WRONG_MOTION = "wrong_motion"
    """Another motion came before the asked one."""
    TIMED_OUT = "timed_out"
    NOT_ASKED = "not_asked"
    """The session ended before this cue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CueReport:
    """What was asked, what was seen, and when. Times are seconds since the session's start on the server's clock."""

    cue: Cue
    outcome: CueOutcome
    asked_at: float | None
    opened_at: float | None
    """When the first frame came that echoed the cue's nonce."""
    answered_at: float | None
    peak: float | None
    """Furthest motion in the asked direction: degrees for turns and looks, ratio of size for `come_closer`."""


class Status(StrEnum):
    """What one signal says."""

    PASS = "pass"  # noqa: S105  (a status, no secret)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One measured signal: `raw` in the unit that its maker documents, `score` 0 (attack) to 1 (bona fide)."""

    name: str
    raw: float | None
    score: float
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessReport:
    """All that liveness found in one session."""

    repertoire: Repertoire
    cues: tuple[CueReport, ...]
    complete: bool
    """Whether all was asked that had to be, and answered."""
    signals: tuple[Signal, ...]
    light: LightAnswer | None
    """None if no light cue was shown to its end, or too little was seen."""
    trust: float
    """Weighted mean of the supporting signals' scores, 0 to 1 (`liveness.assessment.trust`)."""
    frames: int
    """Frames that were analysed."""
    capture: str = "unattested"
    """A browser cannot attest its camera."""
