"""Similarities of the plane (a turn, a scale and a shift, no reflection) between few points, by least squares.

In complex numbers (x + iy) a similarity is one factor and one shift (Horn, JOSA A 4:629, 1987, in the plane). The least
squares are Umeyama's (PAMI 13, 1991) without his singular values, which the plane does not need.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Similarity:
    """Takes z to `factor` (z - `from_middle`) + `to_middle`: x + iy, in the pixels of either picture."""

    factor: complex
    from_middle: complex
    to_middle: complex

    def matrix(self) -> NDArray[np.float64]:
        """The same as (2, 3): its product with (x, y, 1)."""
        a, b = self.factor.real, self.factor.imag
        shift = self.to_middle - self.factor * self.from_middle
        return np.array([[a, -b, shift.real], [b, a, shift.imag]])


def fitted(source: NDArray[np.floating], target: NDArray[np.floating]) -> Similarity | None:
    """The best similarity from points to others, (N, 2) each; None if all of `source` lie in one place."""
    start, end = _complex(source), _complex(target)
    from_middle, to_middle = sum(start) / len(start), sum(end) / len(end)
    length, product = 0.0, 0j
    for one, other in zip(start, end, strict=True):
        spread = one - from_middle
        length += spread.real**2 + spread.imag**2
        product += spread.conjugate() * (other - to_middle)
    return Similarity(product / length, from_middle, to_middle) if length else None


def _complex(points: NDArray[np.floating]) -> list[complex]:
    """As a list: a handful of numbers is sooner added up so than in an array."""
    return [complex(x, y) for x, y in points.tolist()]
