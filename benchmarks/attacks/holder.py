"""Somebody who holds a surface before the camera and moves it as the cues ask."""

from random import Random
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.sheet import FRAME_SIZE, Coverage, SheetPose
from benchmarks.phone.camera import Glow
from benchmarks.phone.glide import Glide
from benchmarks.phone.lamp import Lamp
from benchmarks.phone.person import ROOM_LUX

Picture = NDArray[np.uint8]

HAND_SECONDS = (0.3, 0.8)
SWING_SECONDS = (0.5, 1.2)
WALL = 0.04
"""Light of the phone's screen on what is behind, as a share of that on a face."""


class Surface(Protocol):
    """What is held: shows itself in a pose, uint8 (640, 480, 3) BGR."""

    def render(self, pose: SheetPose) -> Picture: ...
    def coverage(self, pose: SheetPose) -> Coverage: ...


class Hands:
    """Turn, tilt and move what they hold as the cues ask, and shake a little."""

    def __init__(self, *, rng: Random, distance_cm: float, turn_degrees: float, tilt_degrees: float = 30.0) -> None:
        self._rng = rng
        self._turn, self._tilt, self._distance = turn_degrees, tilt_degrees, distance_cm
        self._yaw, self._pitch, self._away = Glide(0.0), Glide(0.0), Glide(distance_cm)
        self._phase = rng.uniform(0, 6)

    def told(self, kind: str, cue: str | None, at: float) -> None:
        """A prompt appeared on the phone."""
        if kind == "rest":
            self._swing(0.0, 0.0, self._distance, at)
        elif kind == "ask" and cue is not None:
            self._swing(*self._imitation(cue), at)

    def pose(self, at: float) -> SheetPose:
        """How they hold it at a time."""
        shake = 0.01 * self._distance
        return SheetPose(
            yaw=self._yaw.at(at) + 0.8 * np.sin(1.1 * at + self._phase),
            pitch=self._pitch.at(at) + 0.8 * np.sin(1.6 * at + self._phase),
            roll=1.0 * np.sin(0.7 * at),
            distance_cm=self._away.at(at),
            shift_x_cm=shake * np.sin(1.9 * at + self._phase),
            shift_y_cm=shake * np.sin(1.4 * at),
        )

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


class Holder:
    """Somebody who holds a surface in both hands, by the light of the phone's screen."""

    def __init__(self, surface: Surface, *, rng: Random, distance_cm: float, turn_degrees: float) -> None:
        self._surface = surface
        self._hands = Hands(rng=rng, distance_cm=distance_cm, turn_degrees=turn_degrees)
        self._lamp = Lamp(rng.uniform(*ROOM_LUX))

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind == "light" and cue is not None:
            self._lamp.show(cue, at)
        self._hands.told(kind, cue, at)

    def glow(self, at: float) -> Glow | None:
        """Paper returns light as skin does: less when it is turned or further away."""
        pose = self._hands.pose(at)
        facing = float(np.cos(np.radians(pose.yaw)) * np.cos(np.radians(pose.pitch)))
        paper, covered = facing * (40.0 / pose.distance_cm) ** 2, self._surface.coverage(pose)
        return self._lamp.glow(np.asarray(covered * paper + (1 - covered) * WALL, np.float32), at)

    def scene(self, at: float) -> Picture:
        return self._surface.render(self._hands.pose(at))


def some_room(rng: Random) -> Picture:
    """A blurred room: soft patches of grey and colour."""
    patches = np.random.default_rng(rng.getrandbits(32)).integers(50, 210, (8, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(patches, FRAME_SIZE, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
