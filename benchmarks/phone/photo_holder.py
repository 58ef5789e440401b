"""An attacker who holds a printed photo before the camera and moves it as the cues ask."""

from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.phone.flat_photo import FOCAL_PX, FRAME_SIZE, Sheet, SheetPose
from benchmarks.phone.glide import Glide

Picture = NDArray[np.uint8]

HAND_SECONDS = (0.3, 0.8)
SWING_SECONDS = (0.5, 1.2)


class PhotoHolder:
    """Turns, tilts and moves a flat photo; the photo's face is held as large as a face should be."""

    def __init__(
        self,
        photo: Picture,
        *,
        eye_distance: float,
        rng: Random,
        distance_cm: float,
        turn_degrees: float,
        tilt_degrees: float = 30.0,
    ) -> None:
        """`photo`: uint8 (H, W, 3) BGR whose face has `eye_distance` pixels between the eyes."""
        self._rng, self._turn, self._tilt, self._distance = rng, turn_degrees, tilt_degrees, distance_cm
        height_cm = rng.uniform(62, 100) * photo.shape[0] / eye_distance * distance_cm / FOCAL_PX
        self._sheet = Sheet(photo, height_cm, _room(rng))
        self._yaw, self._pitch, self._away = Glide(0.0), Glide(0.0), Glide(distance_cm)
        self._phase = rng.uniform(0, 6)

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind == "rest":
            self._swing(0.0, 0.0, self._distance, at)
        elif kind == "ask" and cue is not None:
            self._swing(*self._imitation(cue), at)

    def scene(self, at: float) -> Picture:
        shake = 0.01 * self._distance
        pose = SheetPose(
            yaw=self._yaw.at(at) + 0.8 * np.sin(1.1 * at + self._phase),
            pitch=self._pitch.at(at) + 0.8 * np.sin(1.6 * at + self._phase),
            roll=1.0 * np.sin(0.7 * at),
            distance_cm=self._away.at(at),
            shift_x_cm=shake * np.sin(1.9 * at + self._phase),
            shift_y_cm=shake * np.sin(1.4 * at),
        )
        return self._sheet.render(pose)

    def _imitation(self, cue: str) -> tuple[float, float, float]:
        imitations = {
            "turn_left": (self._turn, 0.0, self._distance),
            "turn_right": (-self._turn, 0.0, self._distance),
            "look_up": (0.0, self._tilt, self._distance),
            "look_down": (0.0, -self._tilt, self._distance),
            "come_closer": (0.0, 0.0, 0.72 * self._distance),
        }
        return imitations[cue]

    def _swing(self, yaw: float, pitch: float, away: float, at: float) -> None:
        begins, seconds = at + self._rng.uniform(*HAND_SECONDS), self._rng.uniform(*SWING_SECONDS)
        for glide, target in ((self._yaw, yaw), (self._pitch, pitch), (self._away, away)):
            glide.head_for(target, at=at, begins=begins, seconds=seconds)


def _room(rng: Random) -> Picture:
    """A blurred room: soft patches of grey and colour."""
    patches = np.random.default_rng(rng.getrandbits(32)).integers(50, 210, (8, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(patches, FRAME_SIZE, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
