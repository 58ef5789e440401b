"""From observations and challenge to the liveness report."""

from collections.abc import Mapping, Sequence

from liveness.challenge import CUES_PER_CHALLENGE, Challenge
from liveness.observation import Observation
from liveness.report import CueOutcome, CueReport, LivenessReport, Signal
from liveness.script import ScriptState, final_reports
from liveness.signals import (
    fresh_signal,
    light_signal,
    noise_signal,
    nose_signal,
    passive_signal,
    perspective_signal,
    reaction_signals,
    relief_signal,
    same_face_signal,
    unbroken_signal,
    unrepeated_signal,
)
from liveness.thresholds import LivenessThresholds

MORE_CUES = "more_cues"
"""Name, among the supporting signals' weights, of more cues that were asked and all answered."""

SIGNALS = frozenset(
    {
        "relief",
        "nose",
        "perspective",
        "same_face",
        "unbroken",
        "unrepeated",
        "fresh",
        "reaction",
        "reaction_spread",
        "noise",
        "light",
        "passive",
        MORE_CUES,
    }
)
"""Names that a policy may require, reject by, or weigh."""


def assess(
    *,
    challenge: Challenge,
    script: ScriptState,
    observations: Sequence[Observation],
    face_chain: Sequence[float],
    live_probability: float | None,
    thresholds: LivenessThresholds,
) -> LivenessReport:
    """Judge a session.

    `script`: as it stands at the end. `observations`: all of them, in order. `face_chain`: cosine (-1 to 1) between
    each compared frame and the next. `live_probability`: of the passive attack detection, pooled over the compared
    frames, 0 to 1.
    """
    lines = thresholds.signals
    views = [observation.face for observation in observations if observation.face is not None]
    signals = (
        relief_signal(views, lines),
        nose_signal(views, lines),
        perspective_signal(views, lines),
        same_face_signal(face_chain, lines),
        unbroken_signal(observations, lines),
        unrepeated_signal(observations, challenge, thresholds.cues, lines),
        fresh_signal(observations, lines),
        *reaction_signals(observations, challenge, thresholds.cues, lines),
        noise_signal(observations, lines),
        light_signal(script.light, lines),
        passive_signal(live_probability, lines),
    )
    cues = final_reports(script, challenge)
    return LivenessReport(
        repertoire=challenge.repertoire,
        cues=cues,
        complete=script.complete,
        signals=signals,
        light=script.light,
        trust=trust(signals, cues, thresholds.fusion.weights),
        frames=len(observations),
    )


def trust(signals: Sequence[Signal], cues: Sequence[CueReport], weights: Mapping[str, float]) -> float:
    """Weighted mean of the supporting signals' scores, 0 to 1: a signal that was not measured has score 0."""
    scores = {signal.name: signal.score for signal in signals}
    more = cues[CUES_PER_CHALLENGE:]
    scores[MORE_CUES] = float(bool(more) and all(cue.outcome is CueOutcome.ANSWERED for cue in more))
    return sum(weight * scores[name] for name, weight in weights.items()) / sum(weights.values())
