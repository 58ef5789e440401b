"""Does a nose stand out of the turning face?

Bent paper has relief too: a cylinder turned by 35 degrees moves much like a head (Pan et al. and others have fooled
relief tests so). But paper bends in one direction only, and has no bump in its middle. Between two views a smooth
surface moves by a polynomial of the place on it, up to second order for a sphere, a cylinder or a plane in
perspective, and paper that is folded along the nose by the distance from the fold; what a nose adds to that is its own
narrow shape, along the direction in which near points run ahead.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.linear_maps import robust_least_squares
from liveness.mean_face import in_face_units, nose_bump

Points = NDArray[np.float32]

LEAST_POINTS = 24
LEAST_ON_NOSE = 4
ON_NOSE = 0.4
"""A point counts as on the nose where the bump is at least that high."""


@dataclass(frozen=True, slots=True)
class Protrusion:
    """How far the middle of the face runs ahead of what is around it. Distances between the eyes."""

    across: float
    """To the person's left positive, as a nose does when the head turns left."""
    down: float

    def height(self, *, yaw: float) -> float:
        """Height of the bump that a head turned by `yaw` (degrees, person's left positive) must have; about 0.3 for a
        nose, 0 for paper."""
        turned = float(np.sin(np.radians(yaw)))
        return self.across / turned if abs(turned) > 0 else 0.0


def measure_protrusion(reference: Points, current: Points, landmarks: Points) -> Protrusion | None:
    """Compare two views of tracked points.

    `reference`, `current`: (N, 2) pixels; `landmarks`: (5, 2) in the reference view. None if there are fewer than 24
    points, or fewer than 4 on the nose.
    """
    before, after = in_face_units(reference, landmarks), in_face_units(current, landmarks)
    bump = nose_bump(before)
    if len(before) < LEAST_POINTS or int((bump >= ON_NOSE).sum()) < LEAST_ON_NOSE:
        return None
    x, y = before.T
    design = np.column_stack([np.ones(len(x)), x, y, x * x, x * y, y * y, np.abs(x), bump])
    found = robust_least_squares(design, after)
    across, down = found[-1] / _growth(before, after)
    return Protrusion(float(across), float(down)) if np.isfinite([across, down]).all() else None


def _growth(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """How much larger the current view is, by its height: a turn to the side does not change that."""
    spread = float(np.std(before[:, 1]))
    return float(np.std(after[:, 1])) / spread if spread > 0 else 1.0
