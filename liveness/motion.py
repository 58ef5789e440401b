"""How a head moved between two views, from tracked texture points and a mean face's depth.

Scaled orthography: a point at (x, y) with depth z above the face's plane moves to M (x, y) + z m + t. M, m and t
follow by least squares (robust: Huber-like weights); m is the parallax vector, and m / scale the sine of the turn.
For a plane there is no depth and m vanishes. The depth is that of a mean face, the same for everybody, so angles are
good to about a third of their value (measured on rendered heads of another shape: standard deviation 3 degrees in
30); signs and thresholds are what they are for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

LEAST_POINTS = 12
ROUNDS = 4
NOISE = 0.02
"""Residual, in distances between the eyes, beyond which a point counts less."""

LEAST_SCALE, MOST_SCALE = 0.2, 5.0
"""Sizes against the reference between which a fit is believed: beyond, the points have collapsed or fled."""

FACE_MIDDLE = 0.35
"""Where the bowl of the mean face is deepest towards the camera, in distances between the eyes below their line."""
BREADTH_CURVATURE = 1.7
"""x^2 / 1.7 distances between the eyes: a cheek 45 mm from the middle lies 19 mm behind (Farkas 1994, rounded)."""
HEIGHT_CURVATURE = 3.6
"""A face curves less from brow to chin than from ear to ear."""
NOSE_HEIGHT, NOSE_BREADTH, NOSE_LENGTH, NOSE_BELOW_EYES = 0.3, 0.2, 0.3, 0.6
"""A bump of 19 mm, its tip 0.6 distances between the eyes below their line."""


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
    before, after = _in_face_units(reference, landmarks), _in_face_units(current, landmarks)
    design = np.column_stack([before, _mean_depth(before), np.ones(len(before))])
    solution = _robust_least_squares(design, after)
    scale = float(np.linalg.svd(solution[:3], compute_uv=False).mean())
    if not (np.isfinite(solution).all() and LEAST_SCALE < scale < MOST_SCALE):
        return None
    right, down = np.degrees(np.arcsin(np.clip(solution[2] / scale, -1.0, 1.0)))
    return Motion(yaw=float(right), pitch=float(-down), scale=scale)


def _in_face_units(points: Points, landmarks: Points) -> NDArray[np.float64]:
    """Origin between the eyes, x along the eye line, in distances between the eyes of the reference view."""
    eyes = landmarks[:2].astype(np.float64)
    x, y = eyes[1] - eyes[0]
    turn = np.array([[x, y], [-y, x]]) / (x * x + y * y)
    return np.asarray((points - eyes.mean(axis=0)) @ turn.T)


def _mean_depth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = points[:, 0], points[:, 1]
    bowl = -(x**2) / BREADTH_CURVATURE - (y - FACE_MIDDLE) ** 2 / HEIGHT_CURVATURE
    nose = NOSE_HEIGHT * np.exp(-((x / NOSE_BREADTH) ** 2) - ((y - NOSE_BELOW_EYES) / NOSE_LENGTH) ** 2)
    return np.asarray(bowl + nose)


def _robust_least_squares(design: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Iteratively reweighted least squares with Cauchy weights; (4, 2)."""
    weight = np.ones(len(design))
    for _ in range(ROUNDS):
        solution = np.linalg.lstsq(design * weight[:, None], target * weight[:, None], rcond=None)[0]
        distance = np.hypot(*(target - design @ solution).T)
        weight = 1 / np.sqrt(1 + (distance / NOISE) ** 2)
    return np.asarray(solution)
