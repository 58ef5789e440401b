"""The simulated phone's camera: exposure, noise and JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What a front camera does to a scene before the frame is sent."""

    noise: float = 3.0
    """Standard deviation of the sensor's noise in grey levels of 255."""
    gain: float = 1.0
    flicker: float = 0.02
    """Standard deviation of the exposure from frame to frame, as a share."""
    jpeg_quality: int = 80

    def shoot(self, scene: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
        """One JPEG. `scene`: uint8 (H, W, 3) BGR."""
        exposure = self.gain * (1 + self.flicker * rng.standard_normal())
        noise = rng.standard_normal(scene.shape, dtype=np.float32) * np.float32(self.noise)
        seen = np.clip(scene * np.float32(exposure) + noise, 0, 255).astype(np.uint8)
        coded, jpeg = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])
        if not coded:
            raise ValueError(f"no JPEG can be made of a scene of shape {scene.shape}")
        return jpeg.tobytes()
