"""A face set upright in a picture of fixed size, in which its quality is measured whatever the photo's own size.

The geometry is near to that of OFIQ's aligned face (BSI, Open Source Face Image Quality 1.x: 616 x 616 pixels), so that
measures that count pixels have the meaning that they have there.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.alignment import TEMPLATE, similarity
from models.detection import Face
from models.illumination import linear_light
from models.image import Frame, halved_to

SIDE = 616
EYES = 113.0
"""Pixels between the eyes of a face that has the template's shape."""
EYES_AT = (308.0, 272.0)
"""Middle of the eyes, x and y."""

_SCALE = EYES / float(np.hypot(*(TEMPLATE[1] - TEMPLATE[0])))
PLACES = _SCALE * (TEMPLATE - TEMPLATE[:2].mean(axis=0)) + np.array(EYES_AT)
"""(5, 2) pixels in YuNet's order: where the landmarks are brought to, as near as a similarity can."""

_LIGHT = linear_light(np.arange(256) / 255.0).astype(np.float32)
_WEIGHTS = np.array([0.0722, 0.7152, 0.2126], np.float32)
"""Of blue, green and red in luminance (ITU-R BT.709)."""


@dataclass(frozen=True, slots=True)
class UprightFace:
    """One face of a photo, x right y down. Arrays are read-only.

    `pixels`: uint8 (616, 616, 3) BGR. `known`: bool (616, 616), what the photo shows; the rest is black. `luminance`:
    uint8 (616, 616), linear light, 255 is white. `landmarks`: float64 (5, 2), YuNet's order.
    """

    pixels: NDArray[np.uint8]
    known: NDArray[np.bool_]
    luminance: NDArray[np.uint8]
    landmarks: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in (self.pixels, self.known, self.luminance, self.landmarks):
            array.flags.writeable = False


def set_upright(frame: Frame, face: Face) -> UprightFace:
    """Turn, scale and move a photo so that a face stands upright."""
    points = face.landmarks.astype(np.float64)
    matrix = similarity(points, PLACES)
    source, carried = _halved(frame.pixels, matrix)
    pixels = np.asarray(cv2.warpAffine(source, carried, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)
    white = np.full(source.shape[:2], 255, np.uint8)
    known = np.asarray(cv2.warpAffine(white, carried, (SIDE, SIDE), flags=cv2.INTER_NEAREST)) > 0
    return UprightFace(pixels, known, luminance(pixels), points @ matrix[:, :2].T + matrix[:, 2])


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luminance of sRGB as ISO/IEC 29794-5 takes it, in 255ths of white: linear light (IEC 61966-2-1) by BT.709.

    `pixels`: uint8 (H, W, 3) BGR. Gives uint8 (H, W).
    """
    light = cv2.transform(cv2.LUT(pixels, _LIGHT), _WEIGHTS[None])
    return np.asarray(light * 255 + 0.5, np.uint8)


def _halved(pixels: NDArray[np.uint8], matrix: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A photo that is much larger than needed, halved so that nothing aliases, and what `matrix` (2, 3) is for it."""
    shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    source, left = halved_to(pixels, shrink)
    factor = left / shrink
    linear = matrix[:, :2]
    return source, np.column_stack([factor * linear, linear @ np.full(2, (factor - 1) / 2) + matrix[:, 2]])
