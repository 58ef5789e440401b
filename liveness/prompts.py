"""What the phone is told while a session runs. The api translates these values to messages."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.challenge import Cue
from liveness.colours import Colour


class Guidance(StrEnum):
    """How to stand in front of the camera; none of these teaches an attacker anything."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    CLOSER = "closer"
    FURTHER = "further"
    CENTRE = "centre"
    MORE_LIGHT = "more_light"
    LOOK_STRAIGHT = "look_straight"
    HOLD_STILL = "hold_still"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Guide:
    """Framing help; sent when it changes."""

    code: Guidance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Look straight ahead; frames carry `nonce` from now on. A pause of random length follows."""

    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Cue number `index` (from 0) of `total`, to be answered within `seconds` of the first echo of `nonce`."""

    index: int
    total: int
    cue: Cue
    nonce: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Screen number `index` (from 0) of `total`: fill the screen with the colour; frames carry `nonce` from now on."""

    index: int
    total: int
    colour: Colour
    nonce: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The cue with this index was answered."""

    index: int


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more is needed: stop sending frames."""


Prompt = Guide | Rest | Ask | Light | Seen | Done
