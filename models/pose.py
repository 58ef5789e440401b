"""Head pose from five landmarks, in degrees.

Scaled orthography: the landmarks are a linear image of a mean head's five points plus a shift, solved by least
squares; the two rows of the linear map, made orthonormal, are the first two rows of the head's rotation (POS of
DeMenthon & Davis, "Model-based object pose in 25 lines of code", IJCV 15, 1995). The mean head's points are rounded
adult means (ISO 7250-1; Farkas, "Anthropometry of the Head and Face", 1994), so the angles carry a personal offset
of several degrees: compare them with the same person's rest.
"""

from dataclasses import dataclass
from math import asin, atan2, degrees

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
    u, _, vt = np.linalg.svd(linear, full_matrices=False)
    return _angles(*(u @ vt).tolist())


def _angles(right: list[float], down: list[float]) -> Pose:
    """Angles of the rotation Rz(roll) Rx(pitch) Ry(yaw) whose rows are right, down and right x down.

    `right`, `down`: three numbers each, the nearest pair of orthonormal rows (polar decomposition by SVD).
    """
    toward_x = right[1] * down[2] - right[2] * down[1]
    toward_y = right[2] * down[0] - right[0] * down[2]
    toward_z = right[0] * down[1] - right[1] * down[0]
    yaw, pitch = atan2(-toward_x, toward_z), asin(min(1.0, max(-1.0, toward_y)))
    return Pose(degrees(yaw), degrees(pitch), degrees(atan2(-right[1], down[1])))
