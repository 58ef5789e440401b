"""Another phone's camera: a lens that bends straight lines, a denoiser that remembers, sharpening, its own exposure.

Nothing is taken from `benchmarks.phone.camera` but what it has to be like.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from benchmarks.phone.camera import Glow

Picture = NDArray[np.uint8]

BARREL = -0.07
"""Radial distortion: a point at r (half diagonals) is seen at r (1 + BARREL r^2)."""
FALL_OFF = 0.22
"""Light that is lost in the corners, as a share."""
GRAIN = 4.0
"""Standard deviation of the sensor's noise in grey levels, before the denoiser; its grains are two pixels wide."""
REMEMBERED = 0.35
"""Share of the last frame in the next where nothing moves."""
MOVING = 9.0
"""Difference in grey levels from which something moves."""
SHARPENED = 0.6
METERED = 0.55
"""Mean of the middle that exposure aims at, 0 to 1."""
FOLLOWS_SECONDS = 0.4
CODED_POWER = 1 / 2.4
QUALITY = 72


@dataclass(frozen=True, slots=True)
class OtherCamera:
    """What `benchmarks.phone.offline` needs of a camera."""

    def open(self, rng: np.random.Generator) -> "OtherShutter":
        """A camera that begins to see."""
        return OtherShutter(rng)


@dataclass(slots=True)
class OtherShutter:
    """A camera in use: it remembers exposure and the last frame."""

    rng: np.random.Generator
    _exposure: float | None = field(default=None, init=False)
    _last_at: float = field(default=0.0, init=False)
    _before: NDArray[np.float32] | None = field(default=None, init=False)

    def shoot(self, scene: Picture, at: float, glow: Glow | None = None) -> bytes:
        """One JPEG. `scene`: uint8 (H, W, 3) BGR under the room's own light; `at`: seconds."""
        height, width = scene.shape[:2]
        light = scene.astype(np.float32)
        if glow is not None:
            light *= cv2.resize(glow**CODED_POWER, (width, height), interpolation=cv2.INTER_CUBIC)
        light *= self._exposed(light, at) * _fall_off(width, height)
        light += self._grain(width, height)
        steady = self._denoised(_through_lens(light))
        blurred = cv2.GaussianBlur(steady, (0, 0), 1.2)
        sharp = np.clip(steady + SHARPENED * (steady - blurred), 0, 255).astype(np.uint8)
        coded: bytes = simplejpeg.encode_jpeg(sharp, quality=QUALITY, colorspace="BGR", colorsubsampling="420")
        return coded

    def _exposed(self, light: NDArray[np.float32], at: float) -> float:
        """Meters the middle and follows it slowly; never by more than a factor of two."""
        height, width = light.shape[:2]
        middle = light[height // 4 : -height // 4 : 8, width // 4 : -width // 4 : 8]
        wanted = float(np.clip(255 * METERED / max(float(middle.mean()), 1.0), 0.5, 2.0))
        before = wanted if self._exposure is None else self._exposure
        way = 1 - float(np.exp(-(at - self._last_at) / FOLLOWS_SECONDS))
        self._exposure, self._last_at = before + way * (wanted - before), at
        return self._exposure

    def _grain(self, width: int, height: int) -> NDArray[np.float32]:
        fine = GRAIN * self.rng.standard_normal((height // 2, width // 2, 3), dtype=np.float32)
        return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    def _denoised(self, now: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._before is None:
            self._before = now
        change = cv2.blur(np.abs(now - self._before).mean(axis=2), (5, 5))
        kept = REMEMBERED * np.clip(1 - change / MOVING, 0, 1)[..., None].astype(np.float32)
        self._before = np.asarray(now + kept * (self._before - now), np.float32)
        return self._before


def _fall_off(width: int, height: int) -> NDArray[np.float32]:
    return (1 - FALL_OFF * _radius(width, height) ** 2)[..., None].astype(np.float32)


def _through_lens(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where a pixel comes from: r_seen = r (1 + k r^2), inverted to first order."""
    height, width = light.shape[:2]
    stretch = 1 - BARREL * _radius(width, height) ** 2
    x = width / 2 + (np.arange(width) - width / 2) * stretch
    y = height / 2 + (np.arange(height)[:, None] - height / 2) * stretch
    maps = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(cv2.remap(light, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _radius(width: int, height: int) -> NDArray[np.float64]:
    """Distance from the middle by pixel, in half diagonals, (height, width)."""
    x, y = np.arange(width) - width / 2, np.arange(height)[:, None] - height / 2
    return np.asarray(np.hypot(x, y) / np.hypot(width / 2, height / 2))
