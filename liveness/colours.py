"""The colours of the light cues: drawn by the server, safe to look at.

WCAG 2.2 (2.3.1) allows three flashes a second and asks to avoid saturated red (a channel share of red of 0.8 or more).
Colours here change fewer than two times a second, red never shines alone, and nothing is fully dark.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from math import sqrt
from random import Random

import numpy as np

from models.illumination import linear_light

SCREENS_PER_CHALLENGE = 8

HOLD_SECONDS = 0.6
"""From the first frame under a colour to the next colour: at most 1.7 changes a second, where 3 are allowed."""

LOW, HIGH = 48, 255
"""Coded value of a channel that is off and one that is on; 48 is 3 % of the light."""

MOST_ALIKE = 0.6
"""Largest correlation, either way, between two channels of a sequence: three answers, not one told three times."""
LEAST_ON = 3
"""Screens, of eight, on which a channel is on, and on which it is off."""


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour of the whole screen; coded sRGB, 0 to 255 by channel."""

    red: int
    green: int
    blue: int

    @property
    def linear(self) -> tuple[float, float, float]:
        """Light by channel, red, green, blue: 0 to 1 (IEC 61966-2-1)."""
        red, green, blue = linear_light(np.array([self.red, self.green, self.blue]) / 255)
        return float(red), float(green), float(blue)

    @property
    def hex(self) -> str:
        """As in CSS: #rrggbb."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


PALETTE = tuple(Colour(*channels) for channels in product((LOW, HIGH), repeat=3) if channels != (HIGH, LOW, LOW))
"""Dark, blue, green, cyan, magenta, yellow and white; saturated red is left out."""


def draw_colours(rng: Random) -> tuple[Colour, ...]:
    """Draw a sequence; every one that is legal is as likely as any other."""
    while True:
        drawn = tuple(rng.choices(PALETTE, k=SCREENS_PER_CHALLENGE))
        if _is_legal(drawn):
            return drawn


def _is_legal(colours: tuple[Colour, ...]) -> bool:
    """No colour follows itself, and the three channels say different things."""
    if any(before == after for before, after in pairwise(colours)):
        return False
    channels = [_switched_on(getattr(colour, name) for colour in colours) for name in ("red", "green", "blue")]
    if not all(LEAST_ON <= channel.bit_count() <= SCREENS_PER_CHALLENGE - LEAST_ON for channel in channels):
        return False
    return all(abs(_alike(one, other)) <= MOST_ALIKE for one, other in combinations(channels, 2))


def _switched_on(values: Iterable[int]) -> int:
    """One bit a screen."""
    return sum((value == HIGH) << place for place, value in enumerate(values))


def _alike(one: int, other: int) -> float:
    """Correlation of two rows of bits (the phi coefficient; Yule, 1912), -1 to 1."""
    total, first, second = SCREENS_PER_CHALLENGE, one.bit_count(), other.bit_count()
    both = (one & other).bit_count()
    return (total * both - first * second) / sqrt(first * (total - first) * second * (total - second))
