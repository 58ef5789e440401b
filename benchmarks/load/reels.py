"""One simulated person's answers to every cue, rendered before the load begins.

Of each motion there are several takes, for nobody moves twice alike: the head goes, holds, comes back and rests. Of
each colour there are some frames on the face as each motion has left it. Made with the phone's own person and camera.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from random import Random

import numpy as np

from benchmarks.load.strips import Strips, StripShutter
from benchmarks.phone.camera import Camera
from benchmarks.phone.casting import living
from benchmarks.phone.person import MOVE_SECONDS, REACTION_SECONDS, Person
from liveness.challenge import Cue
from liveness.colours import PALETTE
from models.engine import Engine

FRAMES_PER_SECOND = 8.0
MOVING = 1 + round((REACTION_SECONDS[1] + MOVE_SECONDS[1]) * FRAMES_PER_SECOND)
"""Frames after which the slowest person has arrived."""
HOLDING = 8
RESTING = 12
TIMES = 4
"""That one colour may come in a session and be answered by other frames."""
LIT = 2 * TIMES
LIGHT_AFTER_SECONDS = 0.25
"""From the order of a colour to the first frame under it: the panel needs 0.1 s."""
TAKES = 3
"""Of each motion: no script asks for one more often before the light."""

ROOM_LUX = 100.0
FRAMES_A_REEL = TAKES * len(Cue) * (2 * MOVING + HOLDING + RESTING) + len(Cue) * len(PALETTE) * LIT

Clip = tuple[Strips, ...]
Advance = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One answer to a motion cue, at `FRAMES_PER_SECOND`."""

    going: Clip
    holding: Clip
    returning: Clip
    resting: Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """What one person can answer. Left and right are the person's own."""

    photo: bytes
    takes: Mapping[str, tuple[Take, ...]]
    """By cue."""
    lit: Mapping[str, Mapping[str, Clip]]
    """By the cue before, then by colour, #rrggbb."""


def render_reel(photo: bytes, *, engine: Engine, seed: int, advance: Advance) -> Reel:
    """All answers of a person with the face of a photo; `advance` after each of `FRAMES_A_REEL` frames."""
    rng = Random(seed)
    person = living(photo, engine=engine, rng=rng, room_lux=ROOM_LUX)
    return _Studio(person, StripShutter(Camera(), np.random.default_rng(seed)), advance).reel(photo)


class _Studio:
    """Renders frame after frame on a clock of its own."""

    def __init__(self, person: Person, shutter: StripShutter, advance: Advance) -> None:
        self._person, self._shutter, self._advance = person, shutter, advance
        self._frames = 0

    def reel(self, photo: bytes) -> Reel:
        lit: dict[str, Mapping[str, Clip]] = {}
        takes = {cue.value: tuple(self._take(cue, lit) for _ in range(TAKES)) for cue in Cue}
        return Reel(photo=photo, takes=takes, lit=lit)

    def _take(self, cue: Cue, lit: dict[str, Mapping[str, Clip]]) -> Take:
        self._person.told("ask", cue.value, self._at)
        going, holding = self._shot(MOVING), self._shot(HOLDING)
        if cue.value not in lit:
            lit[cue.value] = {colour.hex: self._under(colour.hex) for colour in PALETTE}
        self._person.told("rest", None, self._at)
        return Take(going=going, holding=holding, returning=self._shot(MOVING), resting=self._shot(RESTING))

    @property
    def _at(self) -> float:
        return self._frames / FRAMES_PER_SECOND

    def _shot(self, count: int) -> Clip:
        clip = []
        for _ in range(count):
            clip.append(self._frame(self._person, self._at))
            self._frames += 1
        return tuple(clip)

    def _under(self, colour: str) -> Clip:
        """The person as they stand, under a colour: of a copy, for the lamp of the original stays off."""
        person = deepcopy(self._person)
        person.told("light", colour, self._at)
        first = self._at + LIGHT_AFTER_SECONDS
        return tuple(self._frame(person, first + place / FRAMES_PER_SECOND) for place in range(LIT))

    def _frame(self, person: Person, at: float) -> Strips:
        self._advance()
        return Strips.of(self._shutter.shoot(person.scene(at), at, person.glow(at)))
