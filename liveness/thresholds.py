"""Where liveness draws its lines. Values come with the policy, so that a change of one is a change of its version."""

from collections.abc import Mapping
from dataclasses import dataclass

from liveness.challenge import Repertoire


@dataclass(frozen=True, slots=True, kw_only=True)
class CueThresholds:
    """When a cue counts as answered. Degrees are those of `liveness.motion`, against the rest before the cue."""

    turn_degrees: float
    look_degrees: float
    closer_ratio: float
    """Size of the face against its size at rest."""
    wrong_margin: float
    """Another motion is wrong once it exceeds its own threshold by this factor: a turn is rarely quite level."""
    neutral_degrees: float
    """How far from the person's own straight look a rest may be, by landmarks."""
    still_degrees: float
    still_scale: float
    """How much the head may move, and its size change as a share, while it counts as resting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Two values of a measure: at `passing` and beyond it passes, beyond `failing` it fails, between it says nothing.

    `passing` may be the larger (the more the better) or the smaller one.
    """

    passing: float
    failing: float

    def score(self, raw: float) -> float:
        """0 at `failing` and beyond, 1 at `passing` and beyond, linear between."""
        return min(max(self._way(raw), 0.0), 1.0)

    def passes(self, raw: float) -> bool:
        """Whether the measure passes. NaN does not."""
        return self._way(raw) >= 1

    def fails(self, raw: float) -> bool:
        """Whether the measure fails. NaN does not: it is no measure."""
        return self._way(raw) < 0

    def _way(self, raw: float) -> float:
        return (raw - self.failing) / (self.passing - self.failing)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalThresholds:
    """Lines of the signals (`liveness.signals`), and what must be there for them to be measured."""

    relief: Line
    relief_turn_degrees: float
    """Least foreshortening of a view from which relief is judged; degrees."""
    relief_views: int
    """Fewest such views."""
    nose: Line
    """Height in distances between the eyes."""
    nose_turn_degrees: float
    """Least yaw of a view from which the nose is judged."""
    nose_views: int
    perspective: Line
    """Distance between the eyes over the distance to the camera."""
    perspective_growth: float
    """Least growth of the face in a view from which perspective is judged, as a ratio."""
    perspective_views: int
    same_face: Line
    """Cosine between one compared frame and the next."""
    unbroken: Line
    """Largest jump between two frames, in distances between the eyes."""
    unrepeated: Line
    """Difference of two answers to one cue (`liveness.repetition`)."""
    fresh: Line
    """Share of moving frames that repeat an earlier one or are made of their neighbours."""
    echo_share: float
    """A frame that differs less from an earlier one than this share of what it moved by is that frame again."""
    moving_level: float
    """Grey levels between two frames from which on they count as moving."""
    reaction: Line
    """Seconds, median."""
    reaction_spread: Line
    """Seconds, standard deviation."""
    noise: Line
    """Grey levels of what changes between frames where nothing moves."""
    passive: Line
    """Calibrated probability of a live face, pooled over the compared frames."""
    light: Line
    """Correlation with the screens; counts only if hardly any other sequence does as well."""
    light_chance: float
    """Largest share of other sequences that may do as well."""
    light_gain: float
    """Least answer."""
    texture: Line
    """Answer of dark places over that of light ones."""
    texture_gain: float
    """Least answer at which texture is judged: paint has to be thick to be seen, and a weak answer is mostly noise."""


ALTERNATIVE = " or "


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionThresholds:
    """Which signals must pass, which reject, and what the supporting ones weigh."""

    rejecting: tuple[str, ...]
    """Signals that reject when they fail; the failure of another only leaves it without score."""
    required: Mapping[Repertoire, tuple[str, ...]]
    """Names of signals; of several with `ALTERNATIVE` between them one is enough."""
    weights: Mapping[str, float]
    """Of supporting signals; `more_cues` is that more cues were asked and answered."""
    trust: float
    """Least weighted mean of the supporting signals' scores; what was not measured counts as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessThresholds:
    """All of them."""

    cues: CueThresholds
    signals: SignalThresholds
    fusion: FusionThresholds
