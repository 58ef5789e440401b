"""A photo held in front of the camera: a plane under perspective. The simplest attack (PAI species: printed photo).

Shares no code with the rendered head: an attack and the bona fide must not look alike because one file drew both.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FRAME_SIZE = (480, 640)
FOCAL_PX = 520.0
FACE_HEIGHT_SHARE = 0.42
"""Of the sheet's height, from brow to chin, as in an ID photo."""


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

    def _picture_corners(self) -> NDArray[np.float32]:
        height, width = self.picture.shape[:2]
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)

    def _frame_corners(self, pose: SheetPose) -> NDArray[np.float32]:
        height, width = self.picture.shape[:2]
        half_height = self.height_cm / 2
        half_width = half_height * width / height
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
        corners = np.column_stack([signs * [half_width, half_height], np.zeros(4)])
        held = corners @ _turn(pose).T + [pose.shift_x_cm, pose.shift_y_cm, 0.0]
        depth = np.maximum(pose.distance_cm - held[:, 2], 2.0)
        middle = np.array(FRAME_SIZE) / 2
        return (held[:, :2] / depth[:, None] * FOCAL_PX + middle).astype(np.float32)


def _turn(pose: SheetPose) -> NDArray[np.float64]:
    """Rotation by Rodrigues' formula about y (yaw), then x (pitch), then z (roll); z towards the camera, (3, 3)."""
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    angles = np.radians([pose.roll, pose.pitch, pose.yaw])
    by_roll, by_pitch, by_yaw = (cv2.Rodrigues(angle * axis)[0] for angle, axis in zip(angles, axes, strict=True))
    return np.asarray(by_roll @ by_pitch @ by_yaw, dtype=np.float64)
