"""Alignment: the similarity that brings five landmarks to their places in a 112 x 112 picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection import Face
from models.image import Frame
from models.plane_similarity import fitted

SIDE = 112

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5, 2) pixels in YuNet's order: the places of ArcFace (Deng et al., CVPR 2019), which SFace is trained on too."""


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """`pixels`: uint8 (112, 112, 3), BGR, read-only."""

    pixels: NDArray[np.uint8]

    def mirrored(self) -> "AlignedFace":
        """As in a mirror: the template's places are symmetrical but for half a pixel."""
        pixels = np.ascontiguousarray(self.pixels[:, ::-1])
        pixels.flags.writeable = False
        return AlignedFace(pixels)


def align(frame: Frame, face: Face) -> AlignedFace:
    """Cut the face out of the full-resolution frame."""
    matrix = similarity(face.landmarks, TEMPLATE)
    shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    source, matrix = _reduced(frame.pixels, matrix, shrink)
    pixels = cv2.warpAffine(source, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    pixels.flags.writeable = False
    return AlignedFace(np.asarray(pixels, dtype=np.uint8))


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """(2, 3) least-squares similarity without reflection from (N, 2) to (N, 2) points; NaN if all lie in one place."""
    found = fitted(source, target)
    return np.full((2, 3), np.nan) if found is None else found.matrix()


def _reduced(
    pixels: NDArray[np.uint8], matrix: NDArray[np.float64], shrink: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """For faces much larger than the target: halve the neighbourhood of the face first, so that nothing aliases."""
    factor = int(0.5 / shrink) if shrink > 0 else 1
    if factor < 2:  # noqa: PLR2004
        return pixels, matrix
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [0, SIDE, 1], [SIDE, SIDE, 1]]) @ inverse.T
    height, width = pixels.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, [left + 1, top + 1], [width, height])
    size = (max(1, (right - left) // factor), max(1, (bottom - top) // factor))
    crop = pixels[top : top + size[1] * factor, left : left + size[0] * factor]
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    stretch = np.array([crop.shape[1] / size[0], crop.shape[0] / size[1]])
    linear = matrix[:, :2] * stretch
    shift = matrix[:, :2] @ np.array([left, top]) + matrix[:, 2]
    return np.asarray(small, dtype=np.uint8), np.column_stack([linear, shift])
