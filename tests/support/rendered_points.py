"""Points on a head and on a sheet, seen by a pinhole camera: geometry alone, no pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

FOCAL = 520.0
EYES_NOSE_MOUTH = np.array([[-31.5, 0, -8], [31.5, 0, -8], [0, 40, 20], [-25, 70, -6], [25, 70, -6]])


def head_points(count: int = 80, seed: int = 0) -> NDArray[np.float64]:
    """(count, 3) mm on a sphere of 90 mm about (0, 30, -90) with a cone for the nose: no shape that heyan assumes."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-50, 50, count), rng.uniform(-30, 85, count)
    sphere = np.sqrt(90.0**2 - x**2 - 0.4 * (y - 30) ** 2) - 90.0
    nose = np.clip(22 - 1.3 * np.hypot(x, 0.7 * (y - 40)), 0, None)
    return np.column_stack([x, y, sphere + nose])


def sheet_points(count: int = 80, seed: int = 0) -> NDArray[np.float64]:
    points = head_points(count, seed)
    points[:, 2] = 0.0
    return points


def seen(
    points: NDArray[np.float64],
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    distance: float = 400.0,
    noise: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Pixels (N, 2) of points turned about (0, 60, -80); yaw to the person's left and pitch up, degrees."""
    turn = cv2.Rodrigues(np.array([np.radians(pitch), 0, 0]))[0] @ cv2.Rodrigues(np.array([0, np.radians(yaw), 0]))[0]
    pivot = np.array([0, 60, -80])
    moved = (points - pivot) @ turn.T + pivot
    pixels = FOCAL * moved[:, :2] / (distance - moved[:, 2:]) + [240, 300]
    return (pixels + noise * np.random.default_rng(seed).standard_normal(pixels.shape)).astype(np.float32)


def bent_points(radius: float, count: int = 80, seed: int = 0) -> NDArray[np.float64]:
    """Points on a sheet that is bent about an upright axis; `radius` in mm."""
    points = head_points(count, seed)
    angle = points[:, 0] / radius
    return np.column_stack([radius * np.sin(angle), points[:, 1], radius * (np.cos(angle) - 1)])
