"""Bent paper: a cylinder under perspective, whole, cut out along the face, or with holes for somebody's features."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.sheet import COVERAGE_SIZE, FOCAL_PX, FRAME_SIZE, Coverage, SheetPose, turn

COARSE = 4
"""Rays are cast through every fourth pixel; between them the map is smooth."""


@dataclass(frozen=True, slots=True)
class BentSheet:
    """A picture (uint8 (H, W, 3) BGR) bent about an upright axis, its face's middle in front.

    `middle`: pixels of the picture that face the camera. `px_per_cm`: of the picture. `radius_cm`: of the cylinder;
    smaller bends more. `cover`: float32 (H, W), 1 where there is paper. `behind`: what is seen where there is none.
    """

    picture: NDArray[np.uint8]
    cover: NDArray[np.float32]
    middle: tuple[float, float]
    px_per_cm: float
    radius_cm: float
    behind: NDArray[np.uint8]

    def render(self, pose: SheetPose) -> NDArray[np.uint8]:
        """The camera's picture, uint8 (640, 480, 3) BGR."""
        return self.over(self.behind, pose)

    def over(self, behind: NDArray[np.uint8], pose: SheetPose) -> NDArray[np.uint8]:
        """The same before something else, uint8 (640, 480, 3) BGR."""
        x, y, met = self._map(pose)
        picture = cv2.cvtColor(self.picture, cv2.COLOR_BGR2BGRA)  # OpenCV samples four channels three times as fast
        seen = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        paper = cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR)
        share = cv2.remap(self.cover, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) * met
        drawn = cv2.copyTo(paper, (share > 0).astype(np.uint8), behind.copy())
        edge = (share > 0) & (share < 1)
        some = share[edge][:, None]
        drawn[edge] = (paper[edge] * some + behind[edge] * (1 - some)).astype(np.uint8)
        return np.asarray(drawn, np.uint8)

    def coverage(self, pose: SheetPose) -> Coverage:
        """Where the paper is."""
        x, y, met = self._map(pose)
        there = cv2.remap(self.cover, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) * met
        return np.asarray(cv2.resize(there, COVERAGE_SIZE, interpolation=cv2.INTER_AREA), np.float32)

    def _map(self, pose: SheetPose) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """For every pixel the place on the picture, and whether the ray meets the paper's front at all."""
        width, height = FRAME_SIZE
        across, down = ((np.arange(side // COARSE) + 0.5) * COARSE - side / 2 for side in (width, height))
        u, v = np.meshgrid(across, down)
        rays = np.stack([u / FOCAL_PX, v / FOCAL_PX, -np.ones_like(u)], axis=-1) @ turn(pose)
        origin = -np.array([pose.shift_x_cm, pose.shift_y_cm, -pose.distance_cm]) @ turn(pose)
        arc, down, met = self._meet(origin, rays)
        x = self.middle[0] + arc * self.px_per_cm
        y = self.middle[1] + down * self.px_per_cm
        maps = [cv2.resize(part.astype(np.float32), FRAME_SIZE, interpolation=cv2.INTER_LINEAR) for part in (x, y, met)]
        return maps[0].astype(np.float32), maps[1].astype(np.float32), np.asarray(maps[2] > 0.99, np.float32)

    def _meet(
        self, origin: NDArray[np.float64], rays: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Rays against x^2 + (z + r)^2 = r^2: arc length across and height in cm where they first meet it."""
        radius = self.radius_cm
        ox, oz = origin[0], origin[2] + radius
        a = rays[..., 0] ** 2 + rays[..., 2] ** 2
        b = ox * rays[..., 0] + oz * rays[..., 2]
        inside = b**2 - a * (ox**2 + oz**2 - radius**2)
        far = (-b - np.sqrt(np.maximum(inside, 0))) / a
        x, z = ox + far * rays[..., 0], oz + far * rays[..., 2]
        return np.arctan2(x, z) * radius, origin[1] + far * rays[..., 1], (inside > 0).astype(np.float64)


def whole_cover(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Paper everywhere."""
    return np.ones(picture.shape[:2], np.float32)


def face_cover(
    picture: NDArray[np.uint8], landmarks: NDArray[np.float32], *, holes: tuple[int, ...] = ()
) -> NDArray[np.float32]:
    """Paper on the face only. `landmarks`: (5, 2) pixels; `holes`: which of them are cut open."""
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    cover = np.zeros(picture.shape[:2], np.float32)
    middle = landmarks.mean(axis=0)
    cv2.ellipse(cover, tuple(int(c) for c in middle), (int(1.25 * eyes), int(1.75 * eyes)), 0, 0, 360, 1.0, -1)
    for place in holes:
        centre = tuple(int(c) for c in landmarks[place])
        axes = (int(0.24 * eyes), int(0.36 * eyes)) if place == NOSE else (int(0.32 * eyes), int(0.18 * eyes))
        cv2.ellipse(cover, centre, axes, 0, 0, 360, 0.0, -1)
    return cover


NOSE = 2
"""Of the five landmarks in YuNet's order."""
