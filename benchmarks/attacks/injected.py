"""Attacks that replace the camera: what arrives was never before one."""

from functools import cache
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.phone.camera import Glow
from benchmarks.phone.glide import Glide
from benchmarks.phone.head import Head, HeadPose
from benchmarks.phone.person import Actor, Person
from liveness.challenge import Cue

Picture = NDArray[np.uint8]

TURNS = frozenset({"turn_left", "turn_right"})
PAINT_SHARE = 0.18
"""How thick a filter lays the colour on."""


class PerfectPace(Person):
    """A rendered head that answers at once and always alike, as no person does."""

    def _head_for(self, yaw: float, pitch: float, away: float, *, at: float) -> None:
        for glide, target in ((self._yaw, yaw), (self._pitch, pitch), (self._away, away)):
            glide.head_for(target, at=at, begins=at, seconds=0.4)


class RandomGuess(Person):
    """Does not know what is asked, and moves in some way when something is."""

    def told(self, kind: str, cue: str | None, at: float) -> None:
        super().told(kind, self._rng.choice(tuple(Cue)).value if kind == "ask" else cue, at)


class Shopper(RandomGuess):
    """Is prepared for turns alone, and hopes that nothing else is asked."""

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind != "ask" or cue in TURNS:
            Person.told(self, kind, cue, at)


class Unlit(Person):
    """A rendered head that follows the cues and does not see the screen."""

    def glow(self, at: float) -> None:
        """What was never before a camera does not answer the screen."""


class Painted(Unlit):
    """Lays the screen's colour over the face, as a filter does, to look as if it answered."""

    _colour: tuple[int, int, int] | None = None

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind == "light" and cue is not None:
            self._colour = (int(cue[5:7], 16), int(cue[3:5], 16), int(cue[1:3], 16))
        super().told(kind, cue, at)

    def scene(self, at: float) -> Picture:
        scene = super().scene(at)
        if self._colour is None:
            return scene
        paint = np.full_like(scene, self._colour)
        share = (PAINT_SHARE * _face_oval())[..., None]
        return np.asarray(share * paint + (1 - share) * scene, np.uint8)


class Swapped:
    """The right person until the second cue is answered, then another one."""

    def __init__(self, first: Actor, second: Actor, *, cues: int) -> None:
        self._first, self._second, self._left = first, second, cues

    def told(self, kind: str, cue: str | None, at: float) -> None:
        self._first.told(kind, cue, at)
        self._second.told(kind, cue, at)
        if kind == "rest":
            self._left -= 1

    def scene(self, at: float) -> Picture:
        return self._present.scene(at)

    def glow(self, at: float) -> Glow | None:
        return self._present.glow(at)

    @property
    def _present(self) -> Actor:
        return self._first if self._left >= 0 else self._second


class Beside:
    """An impostor answers, and the victim's photo is held beside the face."""

    def __init__(self, impostor: Actor, photo: Picture) -> None:
        self._impostor = impostor
        self._photo = cv2.resize(photo, (220, 220), interpolation=cv2.INTER_AREA)

    def told(self, kind: str, cue: str | None, at: float) -> None:
        self._impostor.told(kind, cue, at)

    def glow(self, at: float) -> Glow | None:
        return self._impostor.glow(at)

    def scene(self, at: float) -> Picture:
        scene = self._impostor.scene(at).copy()
        scene[20:240, :220] = self._photo
        return scene


class Puppet:
    """A still photo warped in two dimensions: the inner face slides and is squeezed as if the head turned."""

    def __init__(self, head: Head, rng: Random) -> None:
        self._still = head.render(HeadPose(distance=rng.uniform(360, 430)))
        self._rng = rng
        self._across, self._down, self._size = Glide(0.0), Glide(0.0), Glide(1.0)
        self._middle = np.array([240.0, 320.0])
        self._eyes = 85.0

    def told(self, kind: str, cue: str | None, at: float) -> None:
        reach = self._rng.uniform(0.22, 0.34) * self._eyes
        answers = {
            "turn_left": (reach, 0.0, 1.0),
            "turn_right": (-reach, 0.0, 1.0),
            "look_up": (0.0, -reach, 1.0),
            "look_down": (0.0, reach, 1.0),
            "come_closer": (0.0, 0.0, 1.36),
        }
        target = answers[cue] if kind == "ask" and cue is not None else (0.0, 0.0, 1.0)
        begins = at + self._rng.uniform(0.3, 0.7)
        for glide, value in zip((self._across, self._down, self._size), target, strict=True):
            glide.head_for(value, at=at, begins=begins, seconds=0.6)

    def glow(self, at: float) -> None:
        """A still picture does not answer the screen."""

    def scene(self, at: float) -> Picture:
        across, down = np.meshgrid(np.arange(480, dtype=np.float32), np.arange(640, dtype=np.float32))
        size = np.float32(self._size.at(at))
        x, y = (across - 240) / size, (down - 320) / size
        inner = np.exp(-(x**2 + (y * 0.8) ** 2) / (2 * (1.1 * self._eyes) ** 2))
        x, y = x - self._across.at(at) * inner + 240, y - self._down.at(at) * inner + 320
        return np.asarray(cv2.remap(self._still, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


@cache
def _face_oval() -> NDArray[np.float32]:
    """Where a face is when it is well in the picture, soft at its rim, (640, 480)."""
    cover = np.zeros((640, 480), np.float32)
    cv2.ellipse(cover, (240, 320), (125, 165), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), 9), np.float32)
