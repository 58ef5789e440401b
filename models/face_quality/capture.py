"""Raw values of the capture-related quality components of ISO/IEC 29794-5: the light, the camera, the file.

OFIQ is the standard's reference implementation. It asks a random forest for sharpness and a network for compression
artifacts; ours are measured otherwise. None: cannot be assessed.
"""

from math import log

import cv2
import numpy as np
from numpy.typing import NDArray

from models.face_quality.sample import Sample, oval
from models.face_quality.upright import SIDE, luminance

DARKEST, BRIGHTEST = 25, 247
"""Luminance in 255ths of white up to which, and from which on, a pixel counts as lost (OFIQ)."""
HEAD_OVAL = (1.8, 2.9)
"""Half-axes of what may be head or hair, in distances between the eyes, about the landmarks' middle."""
SHOULDERS = 1.2
"""Distances between the eyes below the mouth from where on the person's body begins."""
BACKGROUND_SIZE = (354, 295)
"""Width and height in which the background's gradients are taken, and what is cut off before (OFIQ)."""
CUT_SIDES, CUT_BELOW = 62, 108
ERODED = 4
LEAST_BACKGROUND = 500
"""Pixels of that size below which there is no background to speak of."""
BLOCK = 8
"""Pixels of a JPEG's block (ITU-T T.81)."""
STEP_CAP = 12.0
"""Grey levels beyond which a step from pixel to pixel is an edge of the scene and says no more."""
LEAST_STEP = 0.1
"""Grey levels: even steps below it are none."""


def background_uniformity(sample: Sample) -> float | None:
    """Mean gradient (Scharr) of the background's luminance, 255ths of white a pixel.

    As OFIQ, but what is background is not parsed: it is what the photo shows outside an oval that holds head and hair,
    above the shoulders. Long hair and tall hats count as background.
    """
    upright = sample.upright
    behind = upright.known & ~oval(upright, HEAD_OVAL)
    behind[max(0, int(upright.landmarks[3:, 1].mean() + SHOULDERS * sample.eyes)) :] = False
    part = slice(0, SIDE - CUT_BELOW), slice(CUT_SIDES, SIDE - CUT_SIDES)
    pixels = np.asarray(cv2.resize(upright.pixels[part], BACKGROUND_SIZE, interpolation=cv2.INTER_LINEAR), np.uint8)
    kept = cv2.resize(behind[part].astype(np.uint8), BACKGROUND_SIZE, interpolation=cv2.INTER_NEAREST)
    kept = cv2.erode(kept, np.ones((ERODED, ERODED), np.uint8), borderType=cv2.BORDER_REPLICATE)
    if np.count_nonzero(kept) < LEAST_BACKGROUND:
        return None
    seen = luminance(pixels)
    across, down = cv2.Scharr(seen, cv2.CV_32F, 1, 0), cv2.Scharr(seen, cv2.CV_32F, 0, 1)
    return float(cv2.magnitude(across, down)[kept > 0].mean())


def illumination_uniformity(sample: Sample) -> float | None:
    """Overlap of the luminance histograms of both cheeks, 0 to 1: the sum of the lesser shares (OFIQ)."""
    right, left = (sample.upright.luminance[zone] for zone in sample.cheeks())
    if not right.size or not left.size:
        return None
    return float(np.minimum(_shares(right), _shares(left)).sum())


def luminance_mean(sample: Sample) -> float:
    """Mean luminance of the face, 0 to 1 (OFIQ). Says as much of the skin as of the light."""
    return float(sample.face_luminance.mean()) / 255


def luminance_variance(sample: Sample) -> float:
    """Variance of the luminance of the face, whose range is 0 to 1 (OFIQ)."""
    return float((sample.face_luminance / 255.0).var())


def under_exposure(sample: Sample) -> float:
    """Share of the face with a luminance of at most 25 of 255, 0 to 1 (OFIQ)."""
    return float((sample.face_luminance <= DARKEST).mean())


def over_exposure(sample: Sample) -> float:
    """Share of the face with a luminance of at least 247 of 255, 0 to 1 (OFIQ)."""
    return float((sample.face_luminance >= BRIGHTEST).mean())


def dynamic_range(sample: Sample) -> float:
    """Entropy of the histogram of the face's luminance, bits, 0 to 8 (OFIQ)."""
    shares = _shares(sample.face_luminance)
    present = shares[shares > 0]
    return float(-(present * np.log2(present)).sum())


def sharpness(sample: Sample) -> float | None:
    """Natural logarithm of the variance of the Laplacian in shares of the variance of the luma itself. Not OFIQ's.

    Energy of the Laplacian (Pech-Pacheco et al., ICPR 2000), by contrast so that dim light is not blur. On the upright
    face at half size, 56 pixels between the eyes: the embedder sees 35. A face that is smaller in the photo is
    enlarged, so that small and blurred come to the same.
    """
    grey = cv2.cvtColor(sample.upright.pixels, cv2.COLOR_BGR2GRAY)
    half = cv2.resize(grey, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    inside = sample.oval[::2, ::2]
    luma, edges = half[inside].astype(np.float64), cv2.Laplacian(half, cv2.CV_32F)[inside].astype(np.float64)
    if not luma.size or luma.var() < 1.0:
        return None
    return log(max(float(edges.var() / luma.var()), 1e-6))


def compression_artifacts(sample: Sample) -> float | None:
    """How much larger steps between pixels are on a grid of 8 than off it: a ratio, 1 without blocks. Not OFIQ's.

    After Wang, Sheikh & Bovik (ICIP 2002), in the face's box, mean of both axes; the grid's phase is the one that shows
    most, as photos are cut after they were compressed. A photo that was resized after compression has no grid of 8 any
    more, and passes.
    """
    height, width = sample.frame.pixels.shape[:2]
    x, y, w, h = (float(value) for value in sample.face.box)
    rows, columns = slice(max(0, int(y)), min(height, int(y + h))), slice(max(0, int(x)), min(width, int(x + w)))
    crop = sample.frame.pixels[rows, columns]
    if min(crop.shape[:2]) < 3 * BLOCK:
        return None
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.float32)
    return (_blockiness(grey) + _blockiness(grey.T)) / 2


def natural_colour(sample: Sample) -> float | None:
    """Distance of the cheeks' mean colour from a* 5 to 25, b* 5 to 35 in CIELAB, 100 where either is negative (OFIQ).

    A photo without colour has none that could be wrong.
    """
    skin = np.concatenate([sample.upright.pixels[zone].reshape(-1, 3) for zone in sample.cheeks()])
    if not skin.size:
        return None
    if not np.ptp(skin.astype(np.int16), axis=1).any():
        return 0.0
    _, a, b = (float(value) for value in lab(skin.mean(axis=0, dtype=np.float32)[None])[0])
    if a < 0 or b < 0:
        return 100.0
    return float(np.hypot(max(0.0, 5 - a, a - 25), max(0.0, 5 - b, b - 35)))


def lab(colours: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB (N, 3) under D65, L* 0 to 100, of sRGB colours (N, 3) BGR, 0 to 255."""
    scaled = (np.asarray(colours, np.float32) / 255)[None]
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2LAB)[0], np.float32)


def _shares(values: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Normalised histogram, (256,)."""
    return np.bincount(values.reshape(-1), minlength=256) / values.size


def _blockiness(grey: NDArray[np.float32]) -> float:
    """Mean capped step along rows at the strongest of 8 phases, over the mean of the others."""
    steps = np.minimum(np.abs(np.diff(grey, axis=1)), STEP_CAP).mean(axis=0)
    phases = np.array([steps[phase::BLOCK].mean() for phase in range(BLOCK)])
    others = (phases.sum() - phases.max()) / (BLOCK - 1)
    return max(1.0, float(phases.max() / others)) if others > LEAST_STEP else 1.0
