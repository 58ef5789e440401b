"""A service without geometry: what an attack with a flat picture is worth where motions are judged as a plane's are.

The angle is how much the face is squeezed, its side that on which the picture shrinks: true for a turned picture, and
for a head as far as a plane can tell. Used only to show what a flat picture is worth where nothing looks at depth.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.motion import Motion
from verify.live import LiveSession, TrackedPoints

NOISE_DEGREES = 8.0
"""What an error of 1 % in a side's length looks like at rest: near 0 an angle by squeezing is all noise, and a picture
that is held still would seem to move."""


@dataclass(slots=True)
class NaiveSession(LiveSession):
    """A session that takes every face for a plane."""

    def _motion(self, points: TrackedPoints) -> Motion | None:
        return planar_motion(*points)


def planar_motion(
    reference: NDArray[np.float32], current: NDArray[np.float32], landmarks: NDArray[np.float32]
) -> Motion | None:
    """Motion of a plane between two views; arguments and units as `liveness.motion.measure_motion`."""
    if len(reference) < 12:
        return None
    middle = landmarks.mean(axis=0)
    eyes = float(np.hypot(*(landmarks[1] - landmarks[0])))
    found = cv2.findHomography((reference - middle) / eyes, (current - middle) / eyes, cv2.LMEDS)[0]
    homography = np.asarray(found, np.float64)
    if homography.shape != (3, 3) or not np.isfinite(homography).all():
        return None
    scaled = homography / homography[2, 2]
    jacobian = scaled[:2, :2] - np.outer(scaled[:2, 2], scaled[2, :2])
    across, down = np.hypot(*jacobian[:, 0]), np.hypot(*jacobian[:, 1])
    yaw = _squeezed(across, down) * np.sign(scaled[2, 0])
    pitch = _squeezed(down, across) * -np.sign(scaled[2, 1])
    return Motion(yaw=float(yaw), pitch=float(pitch), scale=float(max(across, down)))


def _squeezed(side: float, other: float) -> float:
    """Angle in degrees by which a side looks shorter than the other one, less what the tracks' noise adds to it."""
    angle = float(np.degrees(np.arccos(np.clip(side / other, 0.0, 1.0))))
    return float(np.sqrt(max(0.0, angle**2 - NOISE_DEGREES**2)))
