"""Rendered degradations of ID photos. The list was fixed before anything was measured with it.

Each takes a portrait, uint8 (H, W, 3) BGR, the height of its face in pixels, and a generator, and gives a portrait.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Degrade = Callable[[Pixels, float, np.random.Generator], Pixels]

JPEG_QUALITY = 30
LINES = 3
"""Families of lines of a security pattern."""
PERIOD = 7.0
"""Pixels from line to line, at a face of 120 pixels."""
INK = 0.35
"""Of a line: how much of what is beneath it is covered."""
HALFTONE = 3.0
"""Pixels of a printer's dot, at a face of 120 pixels."""
PAPER = (225.0, 232.0, 236.0)
"""BGR of white paper under a scanner's lamp."""
SCAN_TURN = 1.5
"""Degrees that a scanned sheet lies askew, at the most."""
NOISE = 4.0
"""Standard deviation of a scanner's noise, of 255."""
COMMON_FACE = 120.0


def grey(pixels: Pixels, _face: float, _rng: np.random.Generator) -> Pixels:
    """As a black-and-white copy shows it."""
    return _colour(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))


def small(height: float) -> Degrade:
    """The face is so many pixels high, and no more."""

    def degrade(pixels: Pixels, face: float, _rng: np.random.Generator) -> Pixels:
        scale = height / face
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method), np.uint8)

    return degrade


def jpeg_30(pixels: Pixels, _face: float, _rng: np.random.Generator) -> Pixels:
    """Compressed as hard as some registers keep photos."""
    coded = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=JPEG_QUALITY, colorspace="BGR")
    return np.asarray(simplejpeg.decode_jpeg(coded, colorspace="BGR"), np.uint8)


def guilloche(pixels: Pixels, face: float, rng: np.random.Generator) -> Pixels:
    """Fine coloured lines in waves over everything, as they protect the portrait of a card."""
    down, across = np.indices(pixels.shape[:2]).astype(np.float32)
    period = PERIOD * face / COMMON_FACE
    found = pixels.astype(np.float32)
    for _ in range(LINES):
        turn, bend, phase = rng.uniform(0, np.pi), rng.uniform(1, 3) * period, rng.uniform(0, 2 * np.pi)
        along = across * np.cos(turn) + down * np.sin(turn)
        over = -across * np.sin(turn) + down * np.cos(turn) + bend * np.sin(along / (4 * period) + phase)
        line = np.clip(np.cos(2 * np.pi * over / period) * 3 - 2, 0, 1)[..., None] * INK
        found = found * (1 - line) + line * rng.uniform(40, 200, 3).astype(np.float32)
    return np.asarray(np.clip(found, 0, 255), np.uint8)


def print_and_scan(pixels: Pixels, face: float, rng: np.random.Generator) -> Pixels:
    """Printed in dots on paper, laid askew under a scanner, compressed."""
    height, width = pixels.shape[:2]
    dot = HALFTONE * face / COMMON_FACE
    down, across = np.indices((height, width)).astype(np.float32)
    screen = np.cos(2 * np.pi * (across + down) / (dot * 1.414)) * np.cos(2 * np.pi * (across - down) / (dot * 1.414))
    inked = np.clip(pixels.astype(np.float32) + 30 * screen[..., None], 0, 255)
    blurred = cv2.GaussianBlur(inked, (0, 0), 0.35 * dot)
    toned = 255 * (blurred / 255) ** rng.uniform(0.85, 1.2) * (np.array(PAPER, np.float32) / 255)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-SCAN_TURN, SCAN_TURN), 1.0)
    askew = cv2.warpAffine(toned, turn, (width, height), flags=cv2.INTER_LINEAR, borderValue=PAPER)
    noisy = askew + rng.normal(0, NOISE, askew.shape)
    scanned = np.asarray(np.clip(noisy, 0, 255), np.uint8)
    coded = simplejpeg.encode_jpeg(scanned, quality=75, colorspace="BGR")
    return np.asarray(simplejpeg.decode_jpeg(coded, colorspace="BGR"), np.uint8)


def _colour(luma: "cv2.typing.MatLike") -> Pixels:
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8)


DEGRADATIONS: Mapping[str, Degrade | None] = {
    "as it is": None,
    "grey": grey,
    "face of 120 pixels": small(120),
    "face of 60 pixels": small(60),
    "JPEG 30": jpeg_30,
    "guilloche": guilloche,
    "print and scan": print_and_scan,
}
