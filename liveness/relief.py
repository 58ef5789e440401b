"""Is the moving face a relief or a plane?

Between any two views of a plane every point moves by one homography, whatever the plane's motion and distance
(Hartley & Zisserman, "Multiple View Geometry", 2nd ed., 13.1). A head that turns does not: what remains after the
best homography is its relief. The turn itself is measured by the homography's foreshortening, which knows nothing of
the nose: the residual is not both the proof of turning and the proof of not being flat.
"""

from dataclasses import dataclass
from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.linear_maps import middle, solved, squeeze_degrees

Points = NDArray[np.float32]

LEAST_POINTS = 12
TRIMMED_SHARE = 0.1
"""Largest residuals that are left out: lost tracks, a blink."""


@dataclass(frozen=True, slots=True)
class Relief:
    """How far a face's motion is from a plane's."""

    residual: float
    """Root mean square distance to the best homography, in distances between the eyes; trimmed."""
    foreshortening: float
    """Angle by which a plane would have to be turned to be squeezed as much as the homography squeezes; degrees."""

    @property
    def ratio(self) -> float:
        """Residual per sine of the turn: about 0.1 for a head, under 0.02 for a plane; 0 when nothing turned."""
        turned = float(np.sin(np.radians(self.foreshortening)))
        return self.residual / turned if turned > 0 else 0.0


def measure_relief(reference: Points, current: Points, landmarks: Points) -> Relief | None:
    """Compare two views of tracked points.

    `reference`, `current`: (N, 2) pixels; `landmarks`: (5, 2) in the reference view. None if there are fewer than 12
    points or they do not determine a homography.
    """
    if len(reference) < LEAST_POINTS:
        return None
    homography = _best_homography(reference, current)
    if homography is None:
        return None
    eye_distance = float(np.hypot(*(landmarks[1] - landmarks[0])))
    distances = np.hypot(*(current - _transfer(homography, reference)).T) / eye_distance
    kept = np.sort(distances)[: int(np.ceil(len(distances) * (1 - TRIMMED_SHARE)))]
    residual = float(np.sqrt(np.mean(kept**2)))
    foreshortening = _foreshortening(homography, landmarks.mean(axis=0), eye_distance)
    return Relief(residual, foreshortening) if np.isfinite([residual, foreshortening]).all() else None


def rough_foreshortening(reference: Points, current: Points) -> float:
    """The foreshortening of the best affine map between two views, in degrees; 90 if there is none.

    Affine maps know nothing of perspective: good enough to tell whether a face has turned at all.
    """
    before, after = reference - middle(reference), current - middle(current)
    affine = solved((before.T @ before).astype(np.float64), (before.T @ after).astype(np.float64))
    squeezed = squeeze_degrees(affine)
    return squeezed if isfinite(squeezed) else 90.0


def _best_homography(reference: Points, current: Points) -> NDArray[np.float64] | None:
    found = cv2.findHomography(reference, current, 0)[0]
    homography = np.asarray(found, dtype=np.float64)
    return homography if homography.shape == (3, 3) and np.isfinite(homography).all() else None


def _transfer(homography: NDArray[np.float64], points: Points) -> Points:
    return cv2.perspectiveTransform(points.reshape(-1, 1, 2), homography).reshape(-1, 2).astype(np.float32)


def _foreshortening(homography: NDArray[np.float64], centre: Points, eye_distance: float) -> float:
    """arccos of the ratio of the singular values of the homography's Jacobian in the middle of the face; degrees."""
    step = 0.1 * eye_distance
    across, down = np.array([step, 0.0], np.float32), np.array([0.0, step], np.float32)
    moved = _transfer(homography, np.stack([centre + across, centre - across, centre + down, centre - down]))
    jacobian = np.column_stack([moved[0] - moved[1], moved[2] - moved[3]]) / (2 * step)
    return squeeze_degrees(jacobian)
