"""Head pose from five landmarks, in degrees.

Scaled orthography: the landmarks are a linear image of a mean head's five points plus a shift, solved by least
squares; the two rows of the linear map, made orthonormal, are the first two rows of the head's rotation (POS of
DeMenthon & Davis, "Model-based object pose in 25 lines of code", IJCV 15, 1995). The mean head's points are rounded
adult means (ISO 7250-1; Farkas, "Anthropometry of the Head and Face", 1994), so the angles carry a personal offset
of several degrees: compare them with the same person's rest.
"""

from dataclasses import dataclass
from math import asin, atan2, degrees, sqrt

import numpy as np
from numpy.typing import NDArray

MEAN_HEAD = np.array(
    [
        [-31.5, 0.0, 0.0],
        [31.5, 0.0, 0.0],
        [0.0, 42.0, 32.0],
        [-25.0, 70.0, 6.0],
        [25.0, 70.0, 6.0],
    ]
)
"""(5, 3) mm in YuNet's order of landmarks; x right in the picture, y down, z towards the camera."""

LEAST_SPREAD = 1e-6
"""Of the breadth of the landmarks across to that along, below which they lie on one line."""

_SOLVER = np.linalg.pinv(np.column_stack([MEAN_HEAD, np.ones(5)]))


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees: yaw positive to the person's own left, pitch upwards, roll clockwise in the picture."""

    yaw: float
    pitch: float
    roll: float


def pose_from_landmarks(landmarks: NDArray[np.float32]) -> Pose:
    """Pose of a face; `landmarks`: (5, 2) pixels in YuNet's order, x right y down.

    Raises:
        ValueError: the landmarks are not finite or fall into one point.
    """
    linear = (_SOLVER @ landmarks.astype(np.float64))[:3].T
    if not np.isfinite(linear).all() or not linear.any():
        raise ValueError("the landmarks are not finite or fall into one point: no pose")
    return _angles(*_orthonormal(linear))


def _orthonormal(rows: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """The nearest pair of orthonormal rows to (2, 3): its polar factor.

    (A A^T)^(-1/2) A; the square root of a 2 x 2 matrix M is (M + sqrt(det M) I) / sqrt(trace M + 2 sqrt(det M))
    (Levinger, "The square root of a 2 x 2 matrix", Mathematics Magazine 53, 1980). By singular values where the
    landmarks lie on one line and the matrix has no inverse.
    """
    (a, b), (_, c) = (rows @ rows.T).tolist()
    root = sqrt(max(a * c - b * b, 0.0))
    if root <= LEAST_SPREAD * (a + c):
        u, _, vt = np.linalg.svd(rows, full_matrices=False)
        first, second = (u @ vt).tolist()
        return first, second
    scale = sqrt(a + c + 2 * root) / ((a + root) * (c + root) - b * b)
    first, second = rows.tolist()
    return (
        [scale * ((c + root) * x - b * y) for x, y in zip(first, second, strict=True)],
        [scale * ((a + root) * y - b * x) for x, y in zip(first, second, strict=True)],
    )


def _angles(right: list[float], down: list[float]) -> Pose:
    """Angles of the rotation Rz(roll) Rx(pitch) Ry(yaw) whose rows are right, down and right x down.

    `right`, `down`: three numbers each.
    """
    toward_x = right[1] * down[2] - right[2] * down[1]
    toward_y = right[2] * down[0] - right[0] * down[2]
    toward_z = right[0] * down[1] - right[1] * down[0]
    yaw, pitch = atan2(-toward_x, toward_z), asin(min(1.0, max(-1.0, toward_y)))
    return Pose(degrees(yaw), degrees(pitch), degrees(atan2(-right[1], down[1])))
