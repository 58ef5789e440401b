"""The signals: each a pure function of what was observed, with raw value, score and status.

A signal that could not be measured is inconclusive with score 0: absent evidence never raises trust.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite
from statistics import median

from liveness.challenge import Challenge
from liveness.continuity import largest_jump
from liveness.light import LightAnswer
from liveness.observation import FaceView, Observation
from liveness.reaction import measure_reactions
from liveness.repetition import least_difference
from liveness.report import Signal, Status
from liveness.thresholds import CueThresholds, Line, SignalThresholds
from liveness.turns import split_turns, typical_turn
from models.frame_history import Novelty

LEAST_REACTIONS = 3
LEAST_MOVING = 12
"""Frames with motion from which on a share of them means something."""
LEAST_STEPS = 20
SURELY_TURNED_DEGREES = 16.0
"""The noise of points squeezes a face that does not turn, too, now and then by as much as 14 degrees would; what is
left of such a squeeze is no relief, and no picture either."""


def relief_signal(views: Sequence[FaceView], thresholds: SignalThresholds) -> Signal:
    """Flat picture or head: the relief ratio of the session's typical turn (`liveness.turns`).

    Fails only if that is a turn for sure (`SURELY_TURNED_DEGREES`): a head that only sways says nothing.
    """
    turns = split_turns((view.relief for view in views), least_degrees=thresholds.relief_turn_degrees)
    if sum(turn.views for turn in turns) < max(thresholds.relief_views, 1):
        return graded("relief", None, thresholds.relief)
    typical = typical_turn(turns, most_views=thresholds.relief_views)
    signal = graded("relief", typical.ratio, thresholds.relief)
    unsure = signal.status is Status.FAIL and typical.foreshortening < SURELY_TURNED_DEGREES
    return replace(signal, status=Status.INCONCLUSIVE) if unsure else signal


def nose_signal(views: Sequence[FaceView], thresholds: SignalThresholds) -> Signal:
    """Bent paper or head: the median height of the nose (`liveness.nose`) over views that are turned far enough."""
    heights = [
        view.protrusion.height(yaw=view.motion.yaw)
        for view in views
        if view.protrusion is not None
        and view.motion is not None
        and abs(view.motion.yaw) >= thresholds.nose_turn_degrees
    ]
    return _median_signal("nose", heights, thresholds.nose, fewest=thresholds.nose_views)


def perspective_signal(views: Sequence[FaceView], thresholds: SignalThresholds) -> Signal:
    """Picture or head that comes closer: the median nearness (`liveness.perspective`) of views that grew enough."""
    perspectives = [view.perspective for view in views if view.perspective is not None]
    nearness = [each.nearness for each in perspectives if each.growth >= thresholds.perspective_growth]
    return _median_signal("perspective", nearness, thresholds.perspective, fewest=thresholds.perspective_views)


def same_face_signal(face_chain: Sequence[float], thresholds: SignalThresholds) -> Signal:
    """One face through the whole clip: the least cosine between one compared frame and the next."""
    measured = bool(face_chain) and all(isfinite(cosine) for cosine in face_chain)
    return graded("same_face", min(face_chain) if measured else None, thresholds.same_face)


def unbroken_signal(observations: Sequence[Observation], thresholds: SignalThresholds) -> Signal:
    """One uncut clip: the largest jump of the face (`liveness.continuity`)."""
    return graded("unbroken", largest_jump(observations), thresholds.unbroken)


def unrepeated_signal(
    observations: Sequence[Observation],
    challenge: Challenge,
    cues: CueThresholds,
    thresholds: SignalThresholds,
) -> Signal:
    """No prepared clip for each cue: how much two answers to one cue differ (`liveness.repetition`)."""
    return graded("unrepeated", least_difference(observations, challenge, cues), thresholds.unrepeated)


def fresh_signal(observations: Sequence[Observation], thresholds: SignalThresholds) -> Signal:
    """No frame twice, none made of its neighbours: the share of moving frames of which that is true."""
    moving = [
        each.novelty
        for each in observations
        if each.novelty.step is not None and each.novelty.step >= thresholds.moving_level
    ]
    if len(moving) < LEAST_MOVING:
        return graded("fresh", None, thresholds.fresh)
    stale = sum(_is_stale(each, thresholds.echo_share) for each in moving)
    return graded("fresh", stale / len(moving), thresholds.fresh)


def _is_stale(novelty: Novelty, share: float) -> bool:
    """Whether a moving frame is an earlier one again, or the one before is the mean of its neighbours: both measured
    against the motion, so that a camera with little noise is not taken for one."""
    level = share * (novelty.step or 0.0)
    again = novelty.echo is not None and novelty.echo < level
    return again or (novelty.between is not None and novelty.between < level / 2)


def reaction_signals(
    observations: Sequence[Observation],
    challenge: Challenge,
    cues: CueThresholds,
    thresholds: SignalThresholds,
) -> tuple[Signal, Signal]:
    """Reaction times that a person has: their median and their spread (`liveness.reaction`)."""
    reactions = measure_reactions(observations, challenge, cues)
    enough = len(reactions.seconds) >= LEAST_REACTIONS
    return (
        graded("reaction", reactions.typical if enough else None, thresholds.reaction),
        graded("reaction_spread", reactions.spread if enough else None, thresholds.reaction_spread),
    )


def noise_signal(observations: Sequence[Observation], thresholds: SignalThresholds) -> Signal:
    """A sensor's noise: what changes from frame to frame even where nothing moves, median over the session."""
    changes = [each.novelty.noise for each in observations if each.novelty.noise is not None]
    return _median_signal("noise", changes, thresholds.noise, fewest=LEAST_STEPS)


def passive_signal(live_probability: float | None, thresholds: SignalThresholds) -> Signal:
    """A face, or a picture of one, by its looks alone."""
    return graded("passive", live_probability, thresholds.passive)


def light_signal(answer: LightAnswer | None, thresholds: SignalThresholds) -> Signal:
    """The face answers the screen's colours: passes if hardly any other sequence does as well, else says nothing.

    It fails only by paint: dark places that answer far more than light ones (`liveness.light`).
    """
    if answer is None or answer.chance > thresholds.light_chance or answer.gain < thresholds.light_gain:
        raw = None if answer is None else answer.correlation
        return Signal(name="light", raw=raw, score=0.0, status=Status.INCONCLUSIVE)
    judged = answer.gain >= thresholds.texture_gain
    if judged and thresholds.texture.fails(answer.texture):
        return Signal(name="light", raw=answer.correlation, score=0.0, status=Status.FAIL)
    score = thresholds.light.score(answer.correlation)
    if judged:
        score = min(score, thresholds.texture.score(answer.texture))
    status = Status.PASS if score >= 1 else Status.INCONCLUSIVE
    return Signal(name="light", raw=answer.correlation, score=score, status=status)


def graded(name: str, raw: float | None, line: Line) -> Signal:
    """A measure against its line; one that is missing or not finite is inconclusive with score 0."""
    if raw is None or not isfinite(raw):
        return Signal(name=name, raw=None, score=0.0, status=Status.INCONCLUSIVE)
    if line.passes(raw):
        return Signal(name=name, raw=raw, score=1.0, status=Status.PASS)
    status = Status.FAIL if line.fails(raw) else Status.INCONCLUSIVE
    return Signal(name=name, raw=raw, score=line.score(raw), status=status)


def _median_signal(name: str, values: Iterable[float], line: Line, *, fewest: int) -> Signal:
    found = list(values)
    return graded(name, median(found) if len(found) >= fewest else None, line)
