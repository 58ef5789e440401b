"""From observations and challenge to the liveness report."""

from collections.abc import Sequence
from math import isfinite
from statistics import median

from liveness.observation import Observation
from liveness.report import CueReport, LivenessReport, Signal, Status
from liveness.thresholds import SignalThresholds


def assess(
    *,
    cues: tuple[CueReport, ...],
    observations: Sequence[Observation],
    face_chain: Sequence[float],
    thresholds: SignalThresholds,
) -> LivenessReport:
    """Judge a session.

    `observations`: all of them, in order. `face_chain`: cosine (-1 to 1) between each compared frame and the next.
    """
    signals = (relief_signal(observations, thresholds), same_face_signal(face_chain, thresholds))
    return LivenessReport(cues=cues, signals=signals, frames=len(observations))


def relief_signal(observations: Sequence[Observation], thresholds: SignalThresholds) -> Signal:
    """Flat picture or head: the median relief ratio (`liveness.relief`) of all views that are turned far enough."""
    reliefs = [observation.face.relief for observation in observations if observation.face is not None]
    ratios = [
        relief.ratio
        for relief in reliefs
        if relief is not None and relief.foreshortening >= thresholds.relief_turn_degrees
    ]
    if len(ratios) < thresholds.relief_views:
        return Signal(name="relief", raw=None, score=0.0, status=Status.INCONCLUSIVE)
    return _graded("relief", median(ratios), thresholds.relief_fail, thresholds.relief_pass)


def same_face_signal(face_chain: Sequence[float], thresholds: SignalThresholds) -> Signal:
    """One face through the whole clip: the least cosine between one compared frame and the next."""
    if not face_chain or not all(isfinite(cosine) for cosine in face_chain):
        return Signal(name="same_face", raw=None, score=0.0, status=Status.INCONCLUSIVE)
    return _graded("same_face", min(face_chain), thresholds.same_face_fail, thresholds.same_face_pass)


def _graded(name: str, raw: float, fail: float, passing: float) -> Signal:
    score = min(max((raw - fail) / (passing - fail), 0.0), 1.0)
    if raw >= passing:
        return Signal(name=name, raw=raw, score=score, status=Status.PASS)
    return Signal(name=name, raw=raw, score=score, status=Status.FAIL if raw < fail else Status.INCONCLUSIVE)
