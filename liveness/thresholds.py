"""Where liveness draws its lines. Values come with the policy, so that a change of one is a change of its version."""

from dataclasses import dataclass


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
class SignalThresholds:
    """At or above `pass` a signal passes, below `fail` it fails, between it is inconclusive."""

    relief_turn_degrees: float
    """Least foreshortening of a view from which relief is judged; degrees."""
    relief_views: int
    """Fewest such views."""
    relief_pass: float
    relief_fail: float
    same_face_pass: float
    """Cosine between one compared frame and the next."""
    same_face_fail: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessThresholds:
    """All of them."""

    cues: CueThresholds
    signals: SignalThresholds
