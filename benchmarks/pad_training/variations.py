"""Variations of views: other light, other cameras, other crops, and blends of two. What they mean, the teacher says."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.pad_crops import SIDE

Views = NDArray[np.uint8]
Floats = NDArray[np.float32]

BLENDED_SHARE = 0.35


def varied(views: Views, others: Views, rng: np.random.Generator) -> Views:
    """One variation of a sample's views, uint8 (2, 80, 80, 3); both views vary alike. `others`: (N, 2, 80, 80, 3)."""
    seen = _lit(views.astype(np.float32), rng)
    seen = _focused(seen, rng)
    if rng.random() < 0.5:
        seen = np.asarray(seen + rng.standard_normal(seen.shape, np.float32) * rng.uniform(0.5, 7), np.float32)
    shown = np.clip(seen, 0, 255).astype(np.uint8)
    shown = _moved(_coded(shown, rng), rng)
    if rng.random() >= BLENDED_SHARE:
        return shown
    share = rng.uniform(0.2, 0.8)
    return np.asarray(share * shown + (1 - share) * others[rng.integers(len(others))], np.uint8)


def _lit(seen: Floats, rng: np.random.Generator) -> Floats:
    """Contrast, brightness, white balance, tone curve."""
    if rng.random() < 0.8:
        seen = np.asarray((seen - 128) * rng.uniform(0.5, 1.4) + 128 + rng.uniform(-45, 45), np.float32)
    if rng.random() < 0.6:
        seen = np.asarray(seen * rng.uniform(0.8, 1.2, 3), np.float32)
    if rng.random() < 0.5:
        seen = np.asarray(255 * np.clip(seen / 255, 0, 1) ** rng.uniform(0.6, 1.6), np.float32)
    return seen


def _focused(seen: Floats, rng: np.random.Generator) -> Floats:
    """A softer lens, or fewer pixels."""
    if rng.random() < 0.35:
        blur = float(rng.uniform(0.3, 1.2))
        seen = np.stack([np.asarray(cv2.GaussianBlur(view, (0, 0), blur), np.float32) for view in seen])
    if rng.random() < 0.2:
        side = int(rng.integers(36, 70))
        small = [cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA) for view in seen]
        seen = np.stack([np.asarray(cv2.resize(view, (SIDE, SIDE)), np.float32) for view in small])
    return seen


def _coded(shown: Views, rng: np.random.Generator) -> Views:
    """JPEG."""
    if rng.random() >= 0.3:
        return shown
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
    coded = [cv2.imencode(".jpg", view, quality)[1] for view in shown]
    return np.stack([np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8) for jpeg in coded])


def _moved(shown: Views, rng: np.random.Generator) -> Views:
    """A box that sits a little elsewhere."""
    if rng.random() >= 0.3:
        return shown
    zoom, shift = rng.uniform(0.9, 1.15, 2), rng.uniform(-6, 6, 2)
    matrix = np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]], np.float32)
    moved = [cv2.warpAffine(view, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101) for view in shown]
    return np.stack([np.asarray(view, np.uint8) for view in moved])
