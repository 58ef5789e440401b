"""Does a face that comes closer change as a head does?

A point that lies z nearer to the camera than the face's plane grows by 1 + z / D more than that plane at distance D. A
head that comes closer therefore changes its shape: its middle grows faster than its sides, by

    x2 = s x1 (1 + z (s - 1) / D)

for a growth of s (pinhole camera; D the distance before). A picture that comes closer does not, however it is tilted:
what a plane's motion adds up to second order is in the fit too, and a face's depth, times the place, is of third order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.linear_maps import robust_least_squares, singular_values
from liveness.mean_face import depth, in_face_units

Points = NDArray[np.float32]

LEAST_POINTS = 24


@dataclass(frozen=True, slots=True)
class Perspective:
    """How much faster the middle of a face grew than its sides. `growth`: the whole face's, as a ratio."""

    bulge: float
    """z-proportional growth, in units of one over distances between the eyes."""
    growth: float

    @property
    def nearness(self) -> float:
        """Distance between the eyes over the distance to the camera before: about 0.16 at arm's length for a head; 0
        for a picture. Meaningful only if something grew."""
        return self.bulge / (self.growth - 1) if self.growth > 1 else 0.0


def measure_perspective(reference: Points, current: Points, landmarks: Points) -> Perspective | None:
    """Compare two views of tracked points.

    `reference`, `current`: (N, 2) pixels; `landmarks`: (5, 2) in the reference view. None if there are fewer than 24
    points, or they cannot be fitted.
    """
    if len(reference) < LEAST_POINTS:
        return None
    before, after = in_face_units(reference, landmarks), in_face_units(current, landmarks)
    design = np.concatenate([_design(before, axis) for axis in (0, 1)])
    solution = robust_least_squares(design, after.T.reshape(-1, 1))[:, 0]
    growth = sum(singular_values(solution[:4].reshape(2, 2))) / 2
    bulge = float(solution[-1]) / growth if growth > 0 else np.nan
    return Perspective(bulge, growth) if np.isfinite([bulge, growth]).all() else None


def _design(points: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Columns for one coordinate: a plane's motion (affine, and the two terms that perspective adds), depth and bulge.

    The order of unknowns: 2 x 2 map, shift (2), plane's perspective (2), parallax (2), bulge.
    """
    x, y = points.T
    place, nothing = points[:, axis], np.zeros(len(points))
    nearer = depth(points)
    own = [x, y, nothing, nothing] if axis == 0 else [nothing, nothing, x, y]
    shift = [np.full(len(points), float(axis == 0)), np.full(len(points), float(axis == 1))]
    parallax = [nearer * shift[0], nearer * shift[1]]
    return np.column_stack([*own, *shift, x * place, y * place, *parallax, nearer * place])
