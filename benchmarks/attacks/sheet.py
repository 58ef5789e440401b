"""A flat picture in front of the camera: a plane under perspective."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

FRAME_SIZE = (480, 640)
FOCAL_PX = 520.0
COVERAGE_SIZE = (30, 40)

Coverage = NDArray[np.float32]
"""Where what is held is in the picture, 0 to 1, (40, 30)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPose:
    """Where the sheet is held. Degrees and centimetres; yaw to the person's left, pitch upwards, roll clockwise."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance_cm: float = 35.0
    shift_x_cm: float = 0.0
    shift_y_cm: float = 0.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """A printed picture (uint8 (H, W, 3) BGR) of a given height, before a room (uint8 (640, 480, 3) BGR)."""

    picture: NDArray[np.uint8]
    height_cm: float
    room: NDArray[np.uint8]

    def render(self, pose: SheetPose) -> NDArray[np.uint8]:
        """The camera's picture: uint8 (640, 480, 3) BGR."""
        onto_frame = cv2.getPerspectiveTransform(self._picture_corners(), self._frame_corners(pose))
        drawn = cv2.warpPerspective(
            self.picture, onto_frame, FRAME_SIZE, dst=self.room.copy(), borderMode=cv2.BORDER_TRANSPARENT
        )
        return np.asarray(drawn, dtype=np.uint8)

    def coverage(self, pose: SheetPose) -> Coverage:
        """Where the paper is."""
        cover = np.zeros(COVERAGE_SIZE[::-1], np.float32)
        share = np.array(COVERAGE_SIZE) / FRAME_SIZE
        cv2.fillConvexPoly(cover, (self._frame_corners(pose) * share).astype(np.int32), 1.0)
        return cover

    def on_sheet(self, pose: SheetPose) -> NDArray[np.float32]:
        """For every pixel of the frame, where it looks at the picture: float32 (640, 480, 2) pixels of the picture."""
        back = cv2.getPerspectiveTransform(self._frame_corners(pose), self._picture_corners())
        places = _places()
        return np.asarray(cv2.perspectiveTransform(places.reshape(1, -1, 2), back).reshape(places.shape), np.float32)

    def _picture_corners(self) -> NDArray[np.float32]:
        height, width = self.picture.shape[:2]
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)

    def _frame_corners(self, pose: SheetPose) -> NDArray[np.float32]:
        height, width = self.picture.shape[:2]
        half_height = self.height_cm / 2
        half_width = half_height * width / height
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
        corners = np.column_stack([signs * [half_width, half_height], np.zeros(4)])
        held = corners @ turn(pose).T + [pose.shift_x_cm, pose.shift_y_cm, 0.0]
        depth = np.maximum(pose.distance_cm - held[:, 2], 2.0)
        middle = np.array(FRAME_SIZE) / 2
        return (held[:, :2] / depth[:, None] * FOCAL_PX + middle).astype(np.float32)


@cache
def _places() -> NDArray[np.float32]:
    """(x, y) of each pixel of the frame, float32 (640, 480, 2)."""
    across, down = np.meshgrid(np.arange(FRAME_SIZE[0]), np.arange(FRAME_SIZE[1]))
    return np.stack([across, down], axis=-1).astype(np.float32)


def turn(pose: SheetPose) -> NDArray[np.float64]:
    """Rotation by Rodrigues' formula about y (yaw), then x (pitch), then z (roll); z towards the camera, (3, 3)."""
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    angles = np.radians([pose.roll, pose.pitch, pose.yaw])
    by_roll, by_pitch, by_yaw = (cv2.Rodrigues(angle * axis)[0] for angle, axis in zip(angles, axes, strict=True))
    return np.asarray(by_roll @ by_pitch @ by_yaw, dtype=np.float64)
