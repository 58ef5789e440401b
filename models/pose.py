"""Head pose from five landmarks, in degrees.

Scaled orthography: the landmarks are a linear image of a mean head's five points plus a shift, solved by least
squares; the two rows of the linear map, made orthonormal, are the first two rows of the head's rotation (POS of
DeMenthon & Davis, "Model-based object pose in 25 lines of code", IJCV 15, 1995). The mean head's points are rounded
adult means (ISO 7250-1; Farkas, "Anthropometry of the Head and Face", 1994), so the angles carry a personal offset
of several degrees: compare them with the same person's rest.
"""

from dataclasses import dataclass

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
    scale = float(np.linalg.svd(linear, compute_uv=False).mean()) if np.isfinite(linear).all() else 0.0
    if scale <= 0.0:
        raise ValueError("the landmarks are not finite or fall into one point: no pose")
    right, down = _orthonormal(linear)
    return _angles(right, down)


def _orthonormal(linear: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The nearest pair of orthonormal rows (polar decomposition by SVD)."""
    u, _, vt = np.linalg.svd(linear, full_matrices=False)
    rows = u @ vt
    return rows[0], rows[1]


def _angles(right: NDArray[np.float64], down: NDArray[np.float64]) -> Pose:
    """Angles of the rotation Rz(roll) Rx(pitch) Ry(yaw) whose rows are right, down and right x down."""
    toward = np.cross(right, down)
    yaw = np.arctan2(-toward[0], toward[2])
    pitch = np.arcsin(np.clip(toward[1], -1.0, 1.0))
    roll = np.arctan2(-right[1], down[1])
    return Pose(*(float(angle) for angle in np.degrees([yaw, pitch, roll])))
