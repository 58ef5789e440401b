"""Clips of a genuine person, recorded beforehand, and how an attacker plays them."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.phone.head import Head
from benchmarks.phone.person import Actor, Person
from liveness.challenge import Cue

Picture = NDArray[np.uint8]

FRAMES_PER_SECOND = 8.0
CLIP_SECONDS = 2.0
FADE_SECONDS = 0.25
FIRST_REST, REST_SECONDS, CUE_SECONDS = 1.0, 2.0, 4.5
"""Of a recorded session: its begin, from rest to cue, from one rest to the next."""
REACTION_SECONDS = (0.35, 0.7)
"""Until the attacker has pressed the key for the clip."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames at 8 a second, each uint8 (640, 480, 3) BGR."""

    frames: Sequence[Picture]

    def at(self, seconds: float) -> Picture:
        """The frame at a time; the last one stays."""
        return self.frames[min(max(int(seconds * FRAMES_PER_SECOND), 0), len(self.frames) - 1)]


def record(person: Actor, orders: Sequence[tuple[float, str, str | None]], *, seconds: float) -> Clip:
    """Film an actor who is told things at given times."""
    waiting, frames = list(orders), []
    for number in range(int(seconds * FRAMES_PER_SECOND)):
        at = number / FRAMES_PER_SECOND
        while waiting and waiting[0][0] <= at:
            when, kind, cue = waiting.pop(0)
            person.told(kind, cue, when)
        frames.append(person.scene(at))
    return Clip(frames)


def record_library(head: Head, rng: Random) -> tuple[Clip, dict[str, Clip]]:
    """One person at rest, and one clip for each cue, all from the same place before the camera."""
    seed = rng.getrandbits(32)
    rest = record(Person(head, Random(seed)), [(0.0, "rest", None)], seconds=CLIP_SECONDS)
    clips = {
        cue.value: record(Person(head, Random(seed)), [(0.0, "ask", cue.value)], seconds=CLIP_SECONDS) for cue in Cue
    }
    return rest, clips


def record_session(head: Head, rng: Random, cues: Sequence[Cue]) -> Clip:
    """A genuine session of a person: rest and cue in turn."""
    orders: list[tuple[float, str, str | None]] = []
    at = FIRST_REST
    for cue in cues:
        orders += [(at, "rest", None), (at + REST_SECONDS, "ask", cue.value)]
        at += CUE_SECONDS
    return record(Person(head, rng), orders, seconds=at + 1.0)


class LibraryPlayer:
    """Plays the clip of the asked cue as fast as a hand can, and fades back to rest."""

    def __init__(self, head: Head, rng: Random) -> None:
        self._rest, self._clips = record_library(head, rng)
        self._rng = rng
        self._now, self._before, self._since = self._rest, self._rest, 0.0

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if kind == "ask" and cue is not None:
            self._play(self._clip_for(cue), at + self._rng.uniform(*REACTION_SECONDS))
        elif kind == "rest":
            self._play(self._rest, at)

    def glow(self, at: float) -> None:
        """What was filmed before does not answer the screen."""

    def scene(self, at: float) -> Picture:
        if at < self._since:
            return self._before.at(CLIP_SECONDS)
        share = min((at - self._since) / FADE_SECONDS, 1.0)
        now, before = self._now.at(at - self._since), self._before.at(CLIP_SECONDS)
        return np.asarray(cv2.addWeighted(now, share, before, 1 - share, 0), np.uint8)

    def _clip_for(self, cue: str) -> Clip:
        return self._clips[cue]

    def _play(self, clip: Clip, since: float) -> None:
        self._before, self._now, self._since = self._now, clip, since


class ScriptedPlayer(LibraryPlayer):
    """Knows the script beforehand: plays a genuine session of just these cues, each when it is asked."""

    def __init__(self, head: Head, rng: Random, cues: Sequence[Cue]) -> None:
        session = record_session(head, rng, cues)
        starts = [
            int((FIRST_REST + REST_SECONDS + place * CUE_SECONDS) * FRAMES_PER_SECOND) for place in range(len(cues))
        ]
        length = int(CLIP_SECONDS * FRAMES_PER_SECOND)
        self._asked = iter([Clip(session.frames[start : start + length]) for start in starts])
        self._rest = Clip(session.frames[starts[0] - length : starts[0]])
        self._rng = rng
        self._now, self._before, self._since = self._rest, self._rest, 0.0

    def _clip_for(self, cue: str) -> Clip:  # noqa: ARG002  (the script is known)
        return next(self._asked, self._rest)


class ClipPlayer:
    """Plays one clip over and over, whatever is asked."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def told(self, kind: str, cue: str | None, at: float) -> None:
        """Nothing is done."""

    def glow(self, at: float) -> None:
        """What was filmed before does not answer the screen."""

    def scene(self, at: float) -> Picture:
        return self._clip.frames[int(at * FRAMES_PER_SECOND) % len(self._clip.frames)]


def shuffled(clip: Clip, rng: Random) -> Clip:
    """The same frames in another order."""
    return Clip(rng.sample(list(clip.frames), len(clip.frames)))
