"""How long a person took to begin to move, cue by cue.

Simple visual reactions take 0.2 s and more (Woods et al., Front. Hum. Neurosci. 9:131, 2015); reading a cue and turning
the head takes longer, and never twice the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, pstdev

from liveness.answer import progress
from liveness.challenge import Challenge, Cue
from liveness.observation import Observation
from liveness.regularity import even_paced
from liveness.thresholds import CueThresholds

ONSET = 0.25
"""Share of the asked motion at which it has begun."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """Seconds from the first frame that echoed a cue to the begin of its motion; cues at an uneven pace left out."""

    seconds: tuple[float, ...]

    @property
    def typical(self) -> float:
        """Median."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """Standard deviation."""
        return pstdev(self.seconds)


def measure_reactions(
    observations: Sequence[Observation], challenge: Challenge, thresholds: CueThresholds
) -> Reactions:
    """All cues that were asked and begun."""
    even = even_paced(observations)
    found = [
        _reaction(
            [(each, even[place]) for place, each in enumerate(observations) if each.nonce == nonce], cue, thresholds
        )
        for cue, nonce in zip(challenge.cues, challenge.nonces, strict=True)
    ]
    return Reactions(tuple(seconds for seconds in found if seconds is not None))


def _reaction(frames: Sequence[tuple[Observation, bool]], cue: Cue, thresholds: CueThresholds) -> float | None:
    """Between the two frames around the onset the motion is taken as even."""
    if not frames:
        return None
    before_at, before_share = frames[0][0].at, 0.0
    for frame, even in frames:
        motion = frame.face.motion if frame.face is not None else None
        if not even or motion is None:
            return None
        share = progress(cue, motion, thresholds)
        if share >= ONSET:
            way = (ONSET - before_share) / (share - before_share) if share > before_share else 0.0
            return max(0.0, before_at + way * (frame.at - before_at) - frames[0][0].at)
        before_at, before_share = frame.at, share
    return None
