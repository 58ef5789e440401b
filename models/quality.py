"""First quality measures of a face, named as ISO/IEC 29794-5 names its components. Raw values, no verdicts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection import Face
from models.image import Frame
from models.pose import Pose, pose_from_landmarks

SHARPNESS_SIDE = 112


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What one face offers. Never NaN."""

    eye_distance_px: float
    """Between the eyes, in pixels of the frame (inter-eye distance)."""
    sharpness: float
    """Variance of the Laplacian of the face at 112 pixels across (Pech-Pacheco et al., ICPR 2000), grey levels^2."""
    brightness: float
    """Mean luma, 0 to 1."""
    dynamic_range: float
    """Entropy of the face's luma histogram in bits, 0 to 8."""
    inside: float
    """Share of the face's box that lies inside the frame, 0 to 1."""
    pose: Pose


def measure_quality(frame: Frame, face: Face) -> Quality:
    """Measure one face of a frame."""
    grey = _face_luma(frame, face)
    return Quality(
        eye_distance_px=face.eye_distance,
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        brightness=float(grey.mean()) / 255.0,
        dynamic_range=_entropy(grey),
        inside=_inside(frame, face),
        pose=pose_from_landmarks(face.landmarks),
    )


def face_brightness(luma: NDArray[np.uint8], face: Face) -> float:
    """Mean luma of a face, 0 to 1. `luma`: of the whole frame, uint8 (H, W)."""
    left, top, right, bottom = _clipped(luma.shape, face)
    return float(cv2.mean(luma[top:bottom, left:right])[0]) / 255.0


def _face_luma(frame: Frame, face: Face) -> NDArray[np.uint8]:
    """The part of the box inside the frame, as luma (BT.601), (112, 112)."""
    left, top, right, bottom = _clipped(frame.pixels.shape, face)
    crop = cv2.cvtColor(frame.pixels[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    method = cv2.INTER_AREA if crop.shape[0] > SHARPNESS_SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (SHARPNESS_SIDE, SHARPNESS_SIDE), interpolation=method), np.uint8)


def _clipped(shape: tuple[int, ...], face: Face) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the box inside a picture, at least one pixel."""
    height, width = shape[:2]
    x, y, w, h = (float(value) for value in face.box)
    left, top = int(min(max(x, 0), width - 1)), int(min(max(y, 0), height - 1))
    return left, top, max(left + 1, int(min(x + w, width))), max(top + 1, int(min(y + h, height)))


def _inside(frame: Frame, face: Face) -> float:
    left, top, right, bottom = _clipped(frame.pixels.shape, face)
    area = float(face.box[2] * face.box[3])
    return float(np.clip((right - left) * (bottom - top) / area, 0.0, 1.0)) if area > 0 else 0.0


def _entropy(grey: NDArray[np.uint8]) -> float:
    share = np.bincount(grey.reshape(-1), minlength=256) / grey.size
    present = share[share > 0]
    return float(-(present * np.log2(present)).sum())
