"""How a head moved between two views, from tracked texture points and a mean face's depth.

Scaled orthography: a point at (x, y) with depth z above the face's plane moves to M (x, y) + z m + t. M, m and t
follow by least squares (robust: Huber-like weights); m is the parallax vector, and m / scale the sine of the turn.
For a plane there is no depth and m vanishes. The depth is that of a mean face, the same for everybody, so angles are
good to about a third of their value (measured on rendered heads of another shape: standard deviation 3 degrees in
30); signs and thresholds are what they are for.
"""

from dataclasses import dataclass
from math import asin, degrees

import numpy as np
from numpy.typing import NDArray

from liveness.linear_maps import robust_least_squares, singular_values
from liveness.mean_face import depth, in_face_units

Points = NDArray[np.float32]

LEAST_POINTS = 12
LEAST_SCALE, MOST_SCALE = 0.2, 5.0
"""Sizes against the reference between which a fit is believed: beyond, the points have collapsed or fled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """Since the reference view: degrees of yaw (person's left positive) and pitch (up positive), ratio of size."""

    yaw: float
    pitch: float
    scale: float


STILL = Motion(yaw=0.0, pitch=0.0, scale=1.0)


def measure_motion(reference: Points, current: Points, landmarks: Points) -> Motion | None:
    """Motion between two views; arguments as `liveness.relief.measure_relief`. None if it cannot be determined."""
    if len(reference) < LEAST_POINTS:
        return None
    before, after = in_face_units(reference, landmarks), in_face_units(current, landmarks)
    design = np.column_stack([before, depth(before), np.ones(len(before))])
    solution = robust_least_squares(design, after)
    scale = sum(singular_values(solution[:3])) / 2
    if not (np.isfinite(solution).all() and LEAST_SCALE < scale < MOST_SCALE):
        return None
    right, down = (degrees(asin(min(max(sine / scale, -1.0), 1.0))) for sine in solution[2].tolist())
    return Motion(yaw=right, pitch=-down, scale=scale)
