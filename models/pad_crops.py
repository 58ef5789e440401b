"""Cuts the two views of a face that the PAD network looks at: near (skin and print) and far (edges, hands, bezel).

Each view is the face's box enlarged about its middle, moved and, where the frame is too small, shrunk to lie inside it,
then brought to 80 x 80 (the views of MiniFASNet: minivision-ai, Silent-Face-Anti-Spoofing, 2020).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR, FAR = 2.7, 4.0
"""Side of a view, in sides of the face's box."""

SIDE = 80


def pad_views(pixels: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Both views of one face. `pixels`: uint8 (H, W, 3) BGR; `box`: x, y, w, h in pixels. Gives (2, 80, 80, 3) BGR."""
    return np.stack([view(pixels, box, NEAR), view(pixels, box, FAR)])


def view(pixels: NDArray[np.uint8], box: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    """One view, uint8 (80, 80, 3) BGR. Bilinear on purpose: averaging would wipe out the grain that is looked for."""
    height, width = pixels.shape[:2]
    x, y, w, h = (float(value) for value in box)
    fitting = min(scale, (width - 1) / max(w, 1.0), (height - 1) / max(h, 1.0))
    wide, high = w * fitting, h * fitting
    left = min(max(x + w / 2 - wide / 2, 0.0), max(width - 1 - wide, 0.0))
    top = min(max(y + h / 2 - high / 2, 0.0), max(height - 1 - high, 0.0))
    crop = pixels[int(top) : int(top + high) + 1, int(left) : int(left + wide) + 1]
    return np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)
