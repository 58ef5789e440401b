"""A print folded along the middle of the face, like a roof: two planes, each under its own perspective."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.sheet import COVERAGE_SIZE, FOCAL_PX, FRAME_SIZE, Coverage, SheetPose, turn


@dataclass(frozen=True, slots=True)
class FoldedSheet:
    """A picture (uint8 (H, W, 3) BGR) folded along the column of its middle, which points to the camera.

    `middle`: pixels of the picture on the fold. `px_per_cm`: of the picture. `fold_degrees`: how far each half is bent
    back from flat. `room`: uint8 (640, 480, 3) BGR.
    """

    picture: NDArray[np.uint8]
    middle: tuple[float, float]
    px_per_cm: float
    fold_degrees: float
    room: NDArray[np.uint8]

    def render(self, pose: SheetPose) -> NDArray[np.uint8]:
        """The camera's picture, uint8 (640, 480, 3) BGR; the half that is further away is drawn first."""
        drawn = self.room.copy()
        for left in sorted((True, False), key=lambda half: -self._depth(pose, left=half)):
            columns, corners = self._half(pose, left=left)
            part = np.ascontiguousarray(self.picture[:, columns])
            height, width = part.shape[:2]
            own = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            onto = cv2.getPerspectiveTransform(own, corners)
            cv2.warpPerspective(part, onto, FRAME_SIZE, dst=drawn, borderMode=cv2.BORDER_TRANSPARENT)
        return drawn

    def coverage(self, pose: SheetPose) -> Coverage:
        """Where the paper is."""
        cover = np.zeros(COVERAGE_SIZE[::-1], np.float32)
        share = np.array(COVERAGE_SIZE) / FRAME_SIZE
        for left in (True, False):
            cv2.fillConvexPoly(cover, (self._half(pose, left=left)[1] * share).astype(np.int32), 1.0)
        return cover

    def _half(self, pose: SheetPose, *, left: bool) -> tuple[slice, NDArray[np.float32]]:
        """Columns of the picture, and where the half's corners (clockwise from top left) are on the frame."""
        height, width = self.picture.shape[:2]
        fold = int(self.middle[0])
        columns = slice(0, fold) if left else slice(fold, width)
        ends = np.array([columns.start, columns.stop, columns.stop, columns.start], np.float64)
        across = (ends - fold) / self.px_per_cm
        down = (np.array([0, 0, height, height]) - self.middle[1]) / self.px_per_cm
        back = np.radians(self.fold_degrees)
        bent = np.column_stack([across * np.cos(back), down, -np.abs(across) * np.sin(back)])
        held = bent @ turn(pose).T + np.array([pose.shift_x_cm, pose.shift_y_cm, 0.0])
        depth = np.maximum(pose.distance_cm - held[:, 2], 2.0)
        return columns, (held[:, :2] / depth[:, None] * FOCAL_PX + np.array(FRAME_SIZE) / 2).astype(np.float32)

    def _depth(self, pose: SheetPose, *, left: bool) -> float:
        """Distance of a half's middle from the camera, cm."""
        back = np.radians(self.fold_degrees)
        side = (-1.0 if left else 1.0) * self.picture.shape[1] / self.px_per_cm / 4
        place = np.array([side * np.cos(back), 0.0, -abs(side) * np.sin(back)])
        return pose.distance_cm - float((turn(pose) @ place)[2])
