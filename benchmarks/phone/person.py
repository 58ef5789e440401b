"""A simulated person in front of the phone: follows the cues, or does not."""

from math import exp, log
from random import Random
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.phone.camera import Glow
from benchmarks.phone.glide import Glide
from benchmarks.phone.head import Head, HeadPose
from benchmarks.phone.lamp import Lamp

Picture = NDArray[np.uint8]

REACTION_SECONDS = (0.30, 0.75)
"""From reading a prompt to the first movement."""
MOVE_SECONDS = (0.45, 0.95)
TURN_DEGREES = (17.0, 28.0)
LOOK_DEGREES = (12.0, 20.0)
CLOSER_SHARE = (0.68, 0.78)
"""Distance to the camera after coming closer, as a share of the distance before."""


BESIDE_DEGREES, BESIDE_MM = 1.5, (4.0, 3.0)
"""Standard deviation of what moves along with a motion: pitch and roll in degrees, across and down in mm."""
LEAST_TURN = 10.0

ROOM_LUX = (90.0, 450.0)
"""Living rooms and offices (EN 12464-1 asks for 500 lux on a desk)."""


class Actor(Protocol):
    """Whoever or whatever is in front of the camera. Times are seconds of the phone's own clock."""

    def told(self, kind: str, cue: str | None, at: float) -> None:
        """A prompt appeared on the phone: `ask` with its cue, `light` with its colour, `rest`, and others."""

    def scene(self, at: float) -> Picture:
        """What is before the camera in the room's own light: uint8 (640, 480, 3) BGR."""

    def glow(self, at: float) -> Glow | None:
        """What the light of the phone's screen adds to it (`benchmarks.phone.camera`); None if nothing."""


class Person:
    """Follows every cue with the reaction time, speed and reach of a willing person, swaying a little."""

    def __init__(
        self,
        head: Head,
        rng: Random,
        *,
        unrest: float = 1.0,
        room_lux: float | None = None,
    ) -> None:
        """`unrest`: how much the head and the hand with the phone sway; 1 is an ordinary person. `room_lux`: light on
        the face beside the screen's; that of some room if None."""
        self._head, self._rng, self._unrest = head, rng, unrest
        self._lamp = Lamp(room_lux if room_lux is not None else exp(rng.uniform(*map(log, ROOM_LUX))))
        self._distance = rng.uniform(340, 460)
        self._yaw, self._pitch = Glide(rng.uniform(-3, 3)), Glide(rng.uniform(-3, 3))
        self._away = Glide(self._distance)
        self._roll, self._across, self._down = Glide(0.0), Glide(0.0), Glide(0.0)
        self._straight = (self._yaw.value, self._pitch.value, self._distance)
        self._phase = [rng.uniform(0, 2 * np.pi) for _ in range(4)]

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind == "rest":
            self._head_for(*self._straight, at=at)
        elif kind == "light" and cue is not None:
            self._lamp.show(cue, at)
        elif kind == "ask" and cue is not None:
            self._head_for(*self._answer(cue), at=at)

    def scene(self, at: float) -> Picture:
        return self._head.render(self._pose(at))

    def glow(self, at: float) -> Glow | None:
        return self._lamp.glow(self._head.nearness(self._pose(at)), at) if self._lamp.used else None

    def _pose(self, at: float) -> HeadPose:
        rates = zip((0.9, 1.3, 1.7, 2.3), self._phase, strict=True)
        sway = [self._unrest * np.sin(at * rate + phase) for rate, phase in rates]
        return HeadPose(
            yaw=self._yaw.at(at) + 0.6 * sway[0],
            pitch=self._pitch.at(at) + 0.5 * sway[1],
            roll=self._roll.at(at) + 0.8 * sway[2],
            distance=self._away.at(at),
            shift_x=self._across.at(at) + 3 * sway[3],
            shift_y=self._down.at(at) + 2 * sway[1],
        )

    def _answer(self, cue: str) -> tuple[float, float, float]:
        """Yaw, pitch and distance that answer a cue."""
        yaw, pitch, away = self._straight
        turn, look = self._rng.uniform(*TURN_DEGREES), self._rng.uniform(*LOOK_DEGREES)
        answers = {
            "turn_left": (turn, pitch, away),
            "turn_right": (-turn, pitch, away),
            "look_up": (yaw, look, away),
            "look_down": (yaw, -look, away),
            "come_closer": (yaw, pitch, away * self._rng.uniform(*CLOSER_SHARE)),
        }
        return answers[cue]

    def _head_for(self, yaw: float, pitch: float, away: float, *, at: float) -> None:
        """Nobody moves about one axis alone, nor comes back to quite the same place."""
        begins, seconds = at + self._rng.uniform(*REACTION_SECONDS), self._rng.uniform(*MOVE_SECONDS)
        beside = [self._rng.gauss(0, spread) for spread in (BESIDE_DEGREES, *BESIDE_MM)]
        tilt = self._rng.gauss(0, BESIDE_DEGREES) if abs(yaw) > LEAST_TURN else 0.0
        targets = (yaw, pitch + tilt, away, *beside)
        glides = (self._yaw, self._pitch, self._away, self._roll, self._across, self._down)
        for glide, target in zip(glides, targets, strict=True):
            glide.head_for(target, at=at, begins=begins, seconds=seconds)


class WrongPerson(Person):
    """Answers every cue with another one."""

    OPPOSITE: ClassVar[dict[str, str]] = {
        "turn_left": "turn_right",
        "turn_right": "turn_left",
        "look_up": "look_down",
        "look_down": "look_up",
        "come_closer": "turn_left",
    }

    def told(self, kind: str, cue: str | None, at: float) -> None:
        super().told(kind, self.OPPOSITE.get(cue, cue) if cue is not None else None, at)


class StillPerson(Person):
    """Answers no cue."""

    def told(self, kind: str, cue: str | None, at: float) -> None:
        """Nothing is done."""
