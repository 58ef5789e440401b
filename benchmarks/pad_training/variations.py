"""Variations of views: other light, other cameras, other crops, and blends of two. What they mean, the teacher says."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.pad_crops import SIDE

View = NDArray[np.uint8]
Floats = NDArray[np.float32]

PLAIN_SHARE = 0.15
"""Of views that are learned as they were rendered."""
BLENDED_SHARE, PATCHED_SHARE = 0.3, 0.15


def varied(view: View, others: NDArray[np.uint8], rng: np.random.Generator) -> View:
    """One variation of a view, uint8 (80, 80, 3). `others`: (N, 80, 80, 3), to blend with or to cut patches from."""
    if rng.random() < PLAIN_SHARE:
        return view
    seen = _focused(_lit(_moved(view, rng).astype(np.float32), rng), rng)
    if rng.random() < 0.5:
        seen = np.asarray(seen + rng.standard_normal(seen.shape, np.float32) * rng.uniform(0.5, 8), np.float32)
    shown = _coded(np.clip(seen, 0, 255).astype(np.uint8), rng)
    way, other = rng.random(), others[int(rng.integers(len(others)))]
    if way < BLENDED_SHARE:
        share = rng.uniform(0.1, 0.9)
        return np.asarray(share * shown + (1 - share) * other, np.uint8)
    return _patched(shown, other, rng) if way < BLENDED_SHARE + PATCHED_SHARE else shown


def _moved(view: View, rng: np.random.Generator) -> View:
    """Mirrored, or a box that sits a little elsewhere, larger or smaller, in a frame that is held at an angle."""
    shown = view[:, ::-1] if rng.random() < 0.5 else view
    if rng.random() >= 0.5:
        return np.ascontiguousarray(shown)
    turned = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.normal(0, 7), rng.uniform(0.8, 1.3))
    matrix = np.asarray(turned, np.float64)
    matrix[:, 2] += rng.uniform(-7, 7, 2)
    matrix[0, :2] *= rng.uniform(0.9, 1.1)
    return np.asarray(cv2.warpAffine(shown, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _lit(seen: Floats, rng: np.random.Generator) -> Floats:
    """Contrast, brightness, white balance, tone curve, saturation."""
    if rng.random() < 0.6:
        seen = np.asarray((seen - 128) * rng.uniform(0.5, 1.4) + 128 + rng.uniform(-45, 45), np.float32)
    if rng.random() < 0.6:
        seen = np.asarray(seen * rng.uniform(0.75, 1.25, 3), np.float32)
    if rng.random() < 0.4:
        seen = np.asarray(255 * np.clip(seen / 255, 0, 1) ** rng.uniform(0.6, 2.0), np.float32)
    if rng.random() < 0.3:
        grey = seen.mean(axis=2, keepdims=True)
        seen = np.asarray(grey + (seen - grey) * rng.uniform(0, 1.6), np.float32)
    return seen


def _focused(seen: Floats, rng: np.random.Generator) -> Floats:
    """A softer lens, fewer pixels, or a camera that sharpens."""
    way = rng.random()
    if way < 0.25:
        return np.asarray(cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.3, 1.4))), np.float32)
    if way < 0.4:
        side = int(rng.integers(28, 70))
        small = cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)
    if way < 0.6:
        soft = np.asarray(cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.7, 2.0))), np.float32)
        return np.asarray(seen + rng.uniform(0.2, 1.5) * (seen - soft), np.float32)
    return seen


def _coded(shown: View, rng: np.random.Generator) -> View:
    """JPEG."""
    if rng.random() >= 0.3:
        return shown
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 95))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", shown, quality)[1], cv2.IMREAD_COLOR), np.uint8)


def _patched(shown: View, other: View, rng: np.random.Generator) -> View:
    """A rectangle of another view (Yun et al., CutMix, 2019)."""
    width, height = rng.integers(12, SIDE - 8, 2)
    left, top = rng.integers(0, SIDE - width), rng.integers(0, SIDE - height)
    mixed = shown.copy()
    mixed[top : top + height, left : left + width] = other[top : top + height, left : left + width]
    return mixed
