"""Does a motion answer a cue? Pure comparisons of a motion since the rest with what was asked."""

from enum import StrEnum

from liveness.challenge import Cue
from liveness.motion import Motion
from liveness.thresholds import CueThresholds


class Answer(StrEnum):
    """What a motion says about the cue that was asked."""

    NOT_YET = "not_yet"
    RIGHT = "right"
    WRONG = "wrong"


def progress(cue: Cue, motion: Motion, thresholds: CueThresholds) -> float:
    """How far a motion has gone in a cue's direction: 0 at rest, 1 where it counts as answered; negative away."""
    match cue:
        case Cue.TURN_LEFT:
            return motion.yaw / thresholds.turn_degrees
        case Cue.TURN_RIGHT:
            return -motion.yaw / thresholds.turn_degrees
        case Cue.LOOK_UP:
            return motion.pitch / thresholds.look_degrees
        case Cue.LOOK_DOWN:
            return -motion.pitch / thresholds.look_degrees
        case Cue.COME_CLOSER:
            return (motion.scale - 1) / (thresholds.closer_ratio - 1)


def answers_any(motion: Motion, thresholds: CueThresholds) -> bool:
    """Whether a motion is one that some cue asks for, carried out."""
    return any(progress(cue, motion, thresholds) >= 1.0 for cue in Cue)


def judge_motion(cue: Cue, motion: Motion, thresholds: CueThresholds) -> Answer:
    """Another motion that is carried out before the asked one is wrong: whoever tries them all fails."""
    asked = progress(cue, motion, thresholds)
    others = max(progress(other, motion, thresholds) for other in Cue if other is not cue)
    if others >= thresholds.wrong_margin and others > asked:
        return Answer.WRONG
    return Answer.RIGHT if asked >= 1.0 else Answer.NOT_YET


def extent(cue: Cue, motion: Motion) -> float:
    """The motion in the cue's direction in its own unit: degrees, or ratio of size for `come_closer`."""
    match cue:
        case Cue.TURN_LEFT:
            return motion.yaw
        case Cue.TURN_RIGHT:
            return -motion.yaw
        case Cue.LOOK_UP:
            return motion.pitch
        case Cue.LOOK_DOWN:
            return -motion.pitch
        case Cue.COME_CLOSER:
            return motion.scale
