"""The simulated phone's camera: automatic exposure and white balance, a tone curve, noise, and JPEG with its coarse
colour.

Light is linear before the camera; a picture is coded sRGB. Factors of light are applied to coded values as their power
1/2.2, which sRGB nearly is. What the automatics do is unknown to the service, as it is with a real phone.
"""

from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Glow = NDArray[np.float32]
"""Factor of light by place and channel that the screen makes, float32 (h, w, 3) BGR, at any resolution; 1 is none."""

GAMMA = 2.2
COARSE = 16
"""Pixels a step in which light is known and metered."""
NOISE_BANK = 1 << 21
"""Numbers; a frame takes less than half of them."""


class OpenCamera(Protocol):
    """A camera in use."""

    def shoot(self, scene: Picture, at: float, glow: Glow | None = None) -> bytes:
        """One JPEG. `scene`: uint8 (H, W, 3) BGR under the room's own light; `at`: seconds."""


class CameraModel(Protocol):
    """A kind of camera."""

    def open(self, rng: np.random.Generator) -> OpenCamera:
        """One that begins to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What a front camera does to a scene before the frame is sent."""

    noise: float = 3.0
    """Standard deviation of the sensor's noise in grey levels of 255."""
    gain: float = 1.0
    """Exposure as a share of what would be right: below 1 the picture stays dark."""
    flicker: float = 0.02
    """Standard deviation of the exposure from frame to frame, as a share."""
    jpeg_quality: int = 80
    exposure_share: float = 0.7
    """How much of a change of brightness automatic exposure takes back."""
    white_balance_share: float = 0.5
    """How much of a colour cast automatic white balance takes back."""
    adapts_seconds: float = 0.6
    """Time in which both have gone two thirds of the way."""
    contrast: float = 0.12
    """Depth of the tone curve's S; 0 is none."""
    fine_colour: bool = False
    """Whether JPEG keeps colour at full resolution (4:4:4); most phones halve it (4:2:0)."""

    def open(self, rng: np.random.Generator) -> "Shutter":
        """A camera that begins to see."""
        return Shutter(self, rng)


@dataclass(slots=True)
class Shutter:
    """A camera in use: its automatics remember what they saw."""

    camera: Camera
    rng: np.random.Generator
    _gains: NDArray[np.float64] | None = field(default=None, init=False)
    _noise: NDArray[np.float32] = field(init=False)
    _first: NDArray[np.float64] | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._noise = self.rng.standard_normal(NOISE_BANK, dtype=np.float32) * np.float32(self.camera.noise)

    def shoot(self, scene: Picture, at: float, glow: Glow | None = None) -> bytes:
        """One JPEG. `scene`: uint8 (H, W, 3) BGR under the room's own light; `at`: seconds."""
        camera, sample = self.camera, scene[::COARSE, ::COARSE]
        factor = (
            _sized(np.power(glow, np.float32(1 / GAMMA)), sample)
            if glow is not None
            else np.ones(sample.shape, np.float32)
        )
        exposure = camera.gain * (1 + camera.flicker * self.rng.standard_normal())
        factor = factor * (exposure * self._adapted(sample * factor, at)).astype(np.float32)
        lit = cv2.multiply(scene, _sized(factor, scene), dtype=cv2.CV_32F)
        noisy = cv2.add(lit, self._some_noise(scene.shape), dtype=cv2.CV_8U)
        return self._jpeg(_tone_curve(np.asarray(noisy, np.uint8), camera.contrast))

    def _adapted(self, lit: NDArray[np.float32], at: float) -> NDArray[np.float64]:
        """Gains of coded values by channel (BGR) that bring the picture back to how it began."""
        seen = np.asarray(lit.mean(axis=(0, 1), dtype=np.float64))
        if self._first is None or self._gains is None:
            self._first, self._gains, self._last = seen, np.ones(3), at
        brightness = self._first.mean() / seen.mean()
        cast = (self._first / self._first.mean()) / (seen / seen.mean())
        wanted = brightness**self.camera.exposure_share * cast**self.camera.white_balance_share
        way = 1 - np.exp(-(at - self._last) / self.camera.adapts_seconds)
        self._gains = self._gains + way * (wanted - self._gains)
        self._last = at
        return self._gains

    def _some_noise(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """From a bank that was drawn once, each time from another place."""
        count = int(np.prod(shape))
        start = int(self.rng.integers(0, len(self._noise) - count))
        return self._noise[start : start + count].reshape(shape)

    def _jpeg(self, picture: Picture) -> bytes:
        sampling = (
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if self.camera.fine_colour else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
        )
        options = [cv2.IMWRITE_JPEG_QUALITY, self.camera.jpeg_quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        coded, jpeg = cv2.imencode(".jpg", picture, options)
        if not coded:
            raise ValueError(f"no JPEG can be made of a scene of shape {picture.shape}")
        return jpeg.tobytes()


def _sized(factor: NDArray[np.float32], like: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(factor, like.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _tone_curve(picture: Picture, depth: float) -> Picture:
    """An S about the middle: shadows darker, lights lighter."""
    levels = np.linspace(0, 1, 256)
    curve = levels - depth * np.sin(2 * np.pi * levels) / (2 * np.pi)
    return np.asarray(cv2.LUT(picture, (255 * curve).astype(np.uint8)), np.uint8)
