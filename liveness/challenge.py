"""The challenge: an unpredictable script of cues, drawn by the server when a session is claimed."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, product
from random import Random


class Cue(StrEnum):
    """One motion that is asked for. Left and right are the person's own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    LOOK_UP = "look_up"
    LOOK_DOWN = "look_down"
    COME_CLOSER = "come_closer"


TURNS = frozenset({Cue.TURN_LEFT, Cue.TURN_RIGHT})

CUES_PER_CHALLENGE = 4

PAUSE_SECONDS = (0.5, 1.5)
"""Shortest and longest rest before a cue, so that its moment cannot be known in advance."""

NONCE_BITS = 32
"""A nonce orders frames against cues inside one authenticated connection; it is no secret. Eight hex characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The script of one session: what is asked, in which order, after which pauses.

    `pauses[i]` is the rest before `cues[i]` in seconds; `rests[i]` and `nonces[i]` are the nonces (8 hexadecimal
    characters, all different) that frames of that rest and of that cue carry.
    """

    id: str
    cues: tuple[Cue, ...]
    pauses: tuple[float, ...]
    rests: tuple[str, ...]
    nonces: tuple[str, ...]


def _is_script(cues: tuple[Cue, ...]) -> bool:
    """Both turns are asked (only they show depth well), and no cue follows itself."""
    return set(cues) >= TURNS and all(first != second for first, second in pairwise(cues))


SCRIPTS = tuple(script for script in product(Cue, repeat=CUES_PER_CHALLENGE) if _is_script(script))
"""Every script that can be drawn, each as likely as any other: a guess is right once in `len(SCRIPTS)`."""


def draw_challenge(rng: Random) -> Challenge:
    """Draw a challenge; `rng` is `random.SystemRandom()` in service and seeded only in tests and benches."""
    cues = rng.choice(SCRIPTS)
    nonces = _distinct_nonces(rng, 2 * len(cues))
    return Challenge(
        id=f"chl_{rng.getrandbits(128):032x}",
        cues=cues,
        pauses=tuple(rng.uniform(*PAUSE_SECONDS) for _ in cues),
        rests=nonces[: len(cues)],
        nonces=nonces[len(cues) :],
    )


def _distinct_nonces(rng: Random, count: int) -> tuple[str, ...]:
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        drawn[f"{rng.getrandbits(NONCE_BITS):08x}"] = None
    return tuple(drawn)
