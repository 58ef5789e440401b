"""The challenge: an unpredictable script of cues, drawn by the server when a session is claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, product
from random import Random

from liveness.colours import Colour, draw_colours


class Cue(StrEnum):
    """One motion that is asked for. Left and right are the person's own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    LOOK_UP = "look_up"
    LOOK_DOWN = "look_down"
    COME_CLOSER = "come_closer"


TURNS = frozenset({Cue.TURN_LEFT, Cue.TURN_RIGHT})


class Repertoire(StrEnum):
    """Which motions a challenge is drawn from."""

    ALL = "all"
    WITHOUT_TURNS = "without_turns"
    """For people who cannot turn their head."""


MOTIONS: Mapping[Repertoire, tuple[Cue, ...]] = {
    Repertoire.ALL: tuple(Cue),
    Repertoire.WITHOUT_TURNS: (Cue.LOOK_UP, Cue.LOOK_DOWN, Cue.COME_CLOSER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accommodation:
    """What a person asked to be left out, because a disability or an illness forbids it.

    Other evidence takes its place, or the window does: it lowers trust and never raises it.
    """

    repertoire: Repertoire = Repertoire.ALL
    light: bool = True
    """False: no changing colours."""


EVERYTHING = Accommodation()

CUES_PER_CHALLENGE = 5
"""Asked of everybody."""

MORE_CUES = 2
"""Asked as well where light cues say nothing, or were not wanted."""

PAUSE_SECONDS = (0.5, 1.5)
"""Shortest and longest rest before a cue, so that its moment cannot be known in advance."""

NONCE_BITS = 32
"""A nonce orders frames against cues inside one authenticated connection; it is no secret. Eight hex characters."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One light cue: the colour of the whole screen, and the nonce of the frames under it."""

    colour: Colour
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The script of one session: what is asked, in which order, after which pauses.

    `pauses[i]` is the rest before `cues[i]` in seconds; `rests[i]` and `nonces[i]` are the nonces (8 hexadecimal
    characters, all different) that frames of that rest and of that cue carry. The last `MORE_CUES` cues are asked only
    where the screens, which come before them, say nothing. `screens` is empty for who opted out of light cues.
    """

    id: str
    repertoire: Repertoire
    cues: tuple[Cue, ...]
    pauses: tuple[float, ...]
    rests: tuple[str, ...]
    nonces: tuple[str, ...]
    screens: tuple[Screen, ...]

    @property
    def colours(self) -> tuple[Colour, ...]:
        """Of the screens, in order."""
        return tuple(screen.colour for screen in self.screens)


def _is_script(cues: tuple[Cue, ...], repertoire: Repertoire) -> bool:
    """No cue follows itself, and the motions that show depth are asked enough, one of them twice: whoever plays a clip
    for it plays it again."""
    if any(first == second for first, second in pairwise(cues)):
        return False
    if repertoire is Repertoire.WITHOUT_TURNS:
        return set(cues) == set(MOTIONS[repertoire]) and cues.count(Cue.COME_CLOSER) > 1
    return set(cues) >= TURNS and any(cues.count(turn) > 1 for turn in TURNS)


SCRIPTS: Mapping[Repertoire, tuple[tuple[Cue, ...], ...]] = {
    repertoire: tuple(
        script for script in product(motions, repeat=CUES_PER_CHALLENGE) if _is_script(script, repertoire)
    )
    for repertoire, motions in MOTIONS.items()
}
"""Every script that can be drawn, each as likely as any other: a guess is right once in as many."""


def draw_challenge(rng: Random, accommodation: Accommodation = EVERYTHING) -> Challenge:
    """Draw a challenge; `rng` is `random.SystemRandom()` in service and seeded only in tests and benches."""
    repertoire = accommodation.repertoire
    cues = _followed_by_more(rng.choice(SCRIPTS[repertoire]), repertoire, rng)
    colours = draw_colours(rng) if accommodation.light else ()
    nonces = _distinct_nonces(rng, 2 * len(cues) + len(colours))
    return Challenge(
        id=f"chl_{rng.getrandbits(128):032x}",
        repertoire=repertoire,
        cues=cues,
        pauses=tuple(rng.uniform(*PAUSE_SECONDS) for _ in cues),
        rests=nonces[: len(cues)],
        nonces=nonces[len(cues) : 2 * len(cues)],
        screens=tuple(Screen(*pair) for pair in zip(colours, nonces[2 * len(cues) :], strict=True)),
    )


def _followed_by_more(cues: tuple[Cue, ...], repertoire: Repertoire, rng: Random) -> tuple[Cue, ...]:
    for _ in range(MORE_CUES):
        cues = (*cues, rng.choice([cue for cue in MOTIONS[repertoire] if cue is not cues[-1]]))
    return cues


def _distinct_nonces(rng: Random, count: int) -> tuple[str, ...]:
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        drawn[f"{rng.getrandbits(NONCE_BITS):08x}"] = None
    return tuple(drawn)
