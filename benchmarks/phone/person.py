"""A simulated person in front of the phone: follows the cues, or does not."""

from random import Random
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.phone.glide import Glide
from benchmarks.phone.head import Head, HeadPose

Picture = NDArray[np.uint8]

REACTION_SECONDS = (0.30, 0.75)
"""From reading a prompt to the first movement."""
MOVE_SECONDS = (0.45, 0.95)
TURN_DEGREES = (17.0, 28.0)
LOOK_DEGREES = (12.0, 20.0)
CLOSER_SHARE = (0.68, 0.78)
"""Distance to the camera after coming closer, as a share of the distance before."""


class Actor(Protocol):
    """Whoever or whatever is in front of the camera. Times are seconds of the phone's own clock."""

    def told(self, kind: str, cue: str | None, at: float) -> None:
        """A prompt appeared on the phone: `ask` with its cue, `rest`, and others that may be ignored."""

    def scene(self, at: float) -> Picture:
        """What the camera sees: uint8 (640, 480, 3) BGR."""


class Person:
    """Follows every cue with the reaction time, speed and reach of a willing person, swaying a little."""

    def __init__(self, head: Head, rng: Random) -> None:
        self._head, self._rng = head, rng
        self._distance = rng.uniform(340, 460)
        self._yaw, self._pitch = Glide(rng.uniform(-3, 3)), Glide(rng.uniform(-3, 3))
        self._away = Glide(self._distance)
        self._straight = (self._yaw.value, self._pitch.value, self._distance)
        self._phase = [rng.uniform(0, 2 * np.pi) for _ in range(4)]

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind == "rest":
            self._head_for(*self._straight, at=at)
        elif kind == "ask" and cue is not None:
            self._head_for(*self._answer(cue), at=at)

    def scene(self, at: float) -> Picture:
        sway = [np.sin(at * rate + phase) for rate, phase in zip((0.9, 1.3, 1.7, 2.3), self._phase, strict=True)]
        pose = HeadPose(
            yaw=self._yaw.at(at) + 0.6 * sway[0],
            pitch=self._pitch.at(at) + 0.5 * sway[1],
            roll=0.8 * sway[2],
            distance=self._away.at(at),
            shift_x=3 * sway[3],
            shift_y=2 * sway[1],
        )
        return self._head.render(pose)

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
        begins, seconds = at + self._rng.uniform(*REACTION_SECONDS), self._rng.uniform(*MOVE_SECONDS)
        for glide, target in ((self._yaw, yaw), (self._pitch, pitch), (self._away, away)):
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
        super().told(kind, self.OPPOSITE[cue] if cue is not None else None, at)


class StillPerson(Person):
    """Answers no cue."""

    def told(self, kind: str, cue: str | None, at: float) -> None:
        """Nothing is done."""
