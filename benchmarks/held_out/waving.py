"""A print held in a wave and lit from the side: paper with hollows and ridges where a head has cheeks and a nose."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.sheet import COVERAGE_SIZE, FOCAL_PX, FRAME_SIZE, Coverage, SheetPose, turn

Floats = NDArray[np.float64]

STEP_PX = 5
"""Rays go through the middle of every fifth pixel."""
MARCHES = 8
AMBIENT, GLOSS, GLOSS_POWER = 0.55, 60.0, 30.0
"""Light from everywhere as a share of all; grey levels of a highlight; how narrow it is."""
PAPER, INK = 232.0, 34.0
"""Grey levels of white paper and of the blackest print on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavingSheet:
    """A picture (uint8 (H, W, 3) BGR) whose paper rises and falls across: height = A cos(2 pi x / length + phase).

    `middle`: pixels of the picture that face the camera. `px_per_cm`: of the picture. `height_cm`: A. `lamp`: unit
    vector from the sheet to the light, x right, y down, z to the camera. Stretching by the wave is neglected: the paper
    is as long as its shadow.
    """

    picture: NDArray[np.uint8]
    middle: tuple[float, float]
    px_per_cm: float
    height_cm: float
    length_cm: float
    phase: float
    lamp: tuple[float, float, float]
    room: NDArray[np.uint8]

    def render(self, pose: SheetPose) -> NDArray[np.uint8]:
        """The camera's picture, uint8 (640, 480, 3) BGR."""
        x, y = self._places(pose)
        to_size = _enlarger()
        ink = cv2.remap(
            self.picture,
            to_size(self.middle[0] + x * self.px_per_cm),
            to_size(self.middle[1] + y * self.px_per_cm),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        light, gloss = (to_size(each)[..., None] for each in self._shades(x, pose))
        paper = (INK + (PAPER - INK) / 255 * ink) * light + gloss
        there = to_size(self._there(x, y))[..., None] > 0.5
        return np.asarray(np.where(there, np.clip(paper, 0, 255), self.room), np.uint8)

    def coverage(self, pose: SheetPose) -> Coverage:
        """Where the paper is."""
        there = self._there(*self._places(pose)).astype(np.float32)
        return np.asarray(cv2.resize(there, COVERAGE_SIZE, interpolation=cv2.INTER_AREA), np.float32)

    def _places(self, pose: SheetPose) -> tuple[Floats, Floats]:
        """Where on the sheet the rays meet it, cm right and down of its middle: steps along the ray, by the height."""
        across, down = ((np.arange(side // STEP_PX) + 0.5) * STEP_PX - side / 2 for side in FRAME_SIZE)
        u, v = np.meshgrid(across, down)
        rays = np.stack([u / FOCAL_PX, v / FOCAL_PX, -np.ones_like(u)], axis=-1) @ turn(pose)
        start = -np.array([pose.shift_x_cm, pose.shift_y_cm, -pose.distance_cm]) @ turn(pose)
        way = np.full(u.shape, pose.distance_cm)
        for _ in range(MARCHES):
            x, y, z = (start[axis] + way * rays[..., axis] for axis in range(3))
            way = way + 0.7 * (z - self._height(x)) / np.maximum(-rays[..., 2], 0.2)
        return x, y

    def _height(self, x: Floats) -> Floats:
        return np.asarray(self.height_cm * np.cos(2 * np.pi * x / self.length_cm + self.phase))

    def _shades(self, x: Floats, pose: SheetPose) -> tuple[Floats, Floats]:
        """Factor of light (Lambert), and what shines (Blinn, 1977), in grey levels."""
        rate = 2 * np.pi / self.length_cm
        slope = -self.height_cm * rate * np.sin(rate * x + self.phase)
        normal = np.stack([-slope, np.zeros_like(x), np.ones_like(x)], axis=-1)
        normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True) @ turn(pose).T
        lamp = np.array(self.lamp)
        between = lamp + np.array([0.0, 0.0, 1.0])
        between /= np.linalg.norm(between)
        lit = AMBIENT + (1 - AMBIENT) * np.clip(normal @ lamp, 0, 1) / lamp[2]
        return lit, GLOSS * np.clip(normal @ between, 0, 1) ** GLOSS_POWER

    def _there(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        height, width = self.picture.shape[:2]
        right, down = self.middle[0] + x * self.px_per_cm, self.middle[1] + y * self.px_per_cm
        return np.asarray((right >= 0) & (right < width) & (down >= 0) & (down < height))


def _enlarger() -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    def enlarged(coarse: NDArray[np.generic]) -> NDArray[np.float32]:
        values = np.asarray(coarse, np.float32)
        return np.asarray(cv2.resize(values, FRAME_SIZE, interpolation=cv2.INTER_LINEAR), np.float32)

    return enlarged
