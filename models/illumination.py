"""How the light falls: mean linear light of a face's skin, of its dark features, and of what is behind it.

Measured on a copy of 1/4 size, so that single pixels and their noise do not count. Means are taken in the coded domain
and linearised afterwards: what scales light by a factor scales either mean by the same factor where the code is a power
law, which sRGB (IEC 61966-2-1) nearly is.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection import Face
from models.image import Frame

Picture = NDArray[np.uint8]
"""Part of the small copy, (H, W, 3), or some of its pixels, (N, 3). BGR."""
Rgb = tuple[float, float, float]
"""Linear light by channel: red, green, blue; 0 to 1."""

SHRINK = 4
FACE_OVAL = (0.95, 1.25)
"""Half-axes of the oval that holds nothing but face, in distances between the eyes, about the landmarks' middle."""
NEAR_OVAL = (2.3, 3.0)
"""What lies inside this one may be hair, ears or neck: neither face nor background."""
TRUNK = 1.2
"""Distances between the eyes below the mouth from where on the picture may show the person's chest: that is cut off."""
USABLE = (6, 249)
"""Coded values that are neither black nor burnt out."""
DARK_SHARE, BRIGHT_SHARE = 0.1, 0.2
"""Share of the face's pixels that count as features (brows, eyes, nostrils, beard), and as skin."""
LEAST_PIXELS = 96
STRAIGHT_UP_TO = 0.04045
"""Coded share up to which sRGB is a straight line."""


@dataclass(frozen=True, slots=True)
class Illumination:
    """Mean linear light of one frame. RGB order."""

    skin: Rgb
    features: Rgb
    background: Rgb


def measure_illumination(frame: Frame, face: Face) -> Illumination | None:
    """Measure one frame; None if too little of face or background can be used (too close, black, burnt out)."""
    centre = tuple((face.landmarks.mean(axis=0) / SHRINK).tolist())
    eyes = max(face.eye_distance / SHRINK, 1.0)
    small = _quarter(frame.pixels[: _above_chest(face)])
    usable = cv2.inRange(small, (USABLE[0],) * 3, (USABLE[1],) * 3) > 0
    background = usable & ~_inside(small, centre, NEAR_OVAL, eyes)
    oval = _pixels_inside(small, centre, FACE_OVAL, eyes)
    if np.count_nonzero(background) < LEAST_PIXELS or len(oval) < LEAST_PIXELS:
        return None
    blue, green, red = (channel.astype(np.uint16) for channel in oval.T)
    brightness = blue + green + red
    dark, bright = _ranked(brightness, DARK_SHARE), _ranked(brightness, 1 - BRIGHT_SHARE)
    skin = oval[(brightness >= bright) & (np.maximum(np.maximum(blue, green), red) <= USABLE[1])]
    if len(skin) < LEAST_PIXELS // 2:
        return None
    return Illumination(
        skin=_linear(skin.mean(axis=0)),
        features=_linear(oval[brightness <= dark].mean(axis=0)),
        background=_linear(np.array(cv2.mean(small, background.astype(np.uint8))[:3])),
    )


def linear_light(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB values (0 to 1) as linear light (0 to 1), IEC 61966-2-1."""
    return np.where(coded <= STRAIGHT_UP_TO, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def _ranked(values: NDArray[np.uint16], share: float) -> int:
    """The value that a share of them does not exceed."""
    place = int(share * (len(values) - 1))
    return int(np.partition(values, place)[place])


def _quarter(pixels: Picture) -> Picture:
    """In two steps of a half each: faster than in one, and rounded once more."""
    for _ in range(2):
        height, width = (side // 2 for side in pixels.shape[:2])
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


def _linear(mean: NDArray[np.float64]) -> Rgb:
    """Of a mean coded colour, BGR, 0 to 255."""
    blue, green, red = linear_light(mean / 255)
    return float(red), float(green), float(blue)


def _above_chest(face: Face) -> int:
    """The frame's rows that show no chest: how many from above, a multiple of those that make one of the copy."""
    mouth = float(face.landmarks[3:, 1].mean())
    return SHRINK * max(1, int((mouth + TRUNK * face.eye_distance) / SHRINK))


def _inside(picture: Picture, centre: tuple[float, float], axes: tuple[float, float], eyes: float) -> NDArray[np.bool_]:
    """Pixels of an upright oval, bool (H, W). `centre`: x, y; `axes`: its half-axes in distances between the `eyes`."""
    height, width = picture.shape[:2]
    across = ((np.arange(width, dtype=np.float32) - centre[0]) / (axes[0] * eyes)) ** 2
    down = ((np.arange(height, dtype=np.float32) - centre[1]) / (axes[1] * eyes)) ** 2
    return np.asarray(across + down[:, None] <= 1)


def _pixels_inside(picture: Picture, centre: tuple[float, float], axes: tuple[float, float], eyes: float) -> Picture:
    """Colours of an oval's pixels, (N, 3); arguments as `_inside`. Looks at its surrounding box alone: faster."""
    left, top = (max(0, int(middle - axis * eyes)) for middle, axis in zip(centre, axes, strict=True))
    right, bottom = (max(0, int(middle + axis * eyes) + 2) for middle, axis in zip(centre, axes, strict=True))
    box = np.ascontiguousarray(picture[top:bottom, left:right])
    inside = np.flatnonzero(_inside(box, (centre[0] - left, centre[1] - top), axes, eyes))
    return box.reshape(-1, 3).take(inside, axis=0)
