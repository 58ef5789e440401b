"""Was the same cue answered by the same motion twice?

Every challenge asks for one turn more than once. Nobody moves twice alike: reach, speed, height and distance differ by
several per cent. A prepared clip that is played again does not differ at all. Both answers are laid over each other at
the moment at which half of the turn was done, and compared about it. Landmarks tell where the face was, tracked points
how it moved; the former are coarse and the latter miss a clip that is held elsewhere, so the measure is the geometric
mean of the difference of both together and of the motion alone. A clip that is moved by a hand, as on a screen, is not
found by this.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from liveness.answer import progress
from liveness.challenge import Challenge, Cue
from liveness.observation import FaceView, Observation
from liveness.regularity import even_paced
from liveness.thresholds import CueThresholds

Floats = NDArray[np.float64]

HALF = 0.5
"""Share of the asked motion at which both answers are laid over each other."""
WINDOW = np.arange(-0.5, 0.31, 0.04)
"""Seconds about that moment at which they are compared."""
SHIFTS = np.arange(-0.06, 0.061, 0.02)
"""Seconds by which the moments may be off: frames are an eighth of a second apart."""
LEAST_FRAMES = 4
LEAST_TIMES = 5
MOTION = slice(3, 6)
"""Of the six columns of a path: yaw, pitch and growth, by tracked points."""


def least_difference(
    observations: Sequence[Observation], challenge: Challenge, thresholds: CueThresholds
) -> float | None:
    """Difference of the two most similar answers to one cue, in distances between the eyes (a degree of turn counts as
    1/57, a per cent of growth as 0.01): some 0.03 for a person, 0.01 for a clip. None if no cue was answered twice at
    an even pace."""
    even = even_paced(observations)
    paths: dict[Cue, list[tuple[Floats, Floats]]] = {}
    for cue, nonce in zip(challenge.cues, challenge.nonces, strict=True):
        frames = [each for place, each in enumerate(observations) if each.nonce == nonce and even[place]]
        path = _path([(each.at, each.face) for each in frames if each.face is not None], cue, thresholds)
        if path is not None:
            paths.setdefault(cue, []).append(path)
    pairs = [pair for found in paths.values() for pair in combinations(found, 2)]
    return min((_difference(one, other) for one, other in pairs), default=None)


def _path(
    frames: Sequence[tuple[float, FaceView]], cue: Cue, thresholds: CueThresholds
) -> tuple[Floats, Floats] | None:
    """Times about the half of the motion, (N,), and where the face was then, (N, 6)."""
    moving = [(at, face, face.motion) for at, face in frames if face.motion is not None]
    if len(moving) < LEAST_FRAMES:
        return None
    times = np.array([at for at, _, _ in moving])
    shares = np.array([progress(cue, motion, thresholds) for _, _, motion in moving])
    if shares.max() < HALF:
        return None
    half = float(np.interp(HALF, np.maximum.accumulate(shares), times))
    places = [
        (
            face.centre_x / face.eye_distance,
            face.centre_y * face.aspect / face.eye_distance,
            np.log(face.eye_distance),
            np.radians(motion.yaw),
            np.radians(motion.pitch),
            np.log(motion.scale),
        )
        for _, face, motion in moving
    ]
    return times - half, np.array(places)


def _difference(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> float:
    return min(_difference_at(one, other, float(shift)) for shift in SHIFTS)


def _difference_at(one: tuple[Floats, Floats], other: tuple[Floats, Floats], shift: float) -> float:
    """Over the part of the window that both cover."""
    start, end = max(one[0][0], other[0][0] + shift), min(one[0][-1], other[0][-1] + shift)
    times = WINDOW[(start <= WINDOW) & (end >= WINDOW)]
    if len(times) < LEAST_TIMES:
        return np.inf
    first = np.stack([np.interp(times, one[0], column) for column in one[1].T])
    second = np.stack([np.interp(times, other[0] + shift, column) for column in other[1].T])
    squares = (first - second) ** 2
    return float((squares.mean() * squares[MOTION].mean()) ** 0.25)
