"""How a frame stands to the frames before it: new, or one of them again, or made of its neighbours.

Each frame is reduced to the mean luma of 30 x 40 cells, of which some 256 pixels make one: a sensor's noise of 3 grey
levels leaves 0.2 there, so that two pictures of a still scene differ by about that, and those of a moving one by more.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float32]

SIZE = (30, 40)
"""Width and height in cells."""
FEW = 256
"""Frames that there is room for at first: some 30 seconds."""
LATER_SECONDS = 1.0
"""A frame that shows again what was seen less long ago is a head that holds still, or a camera that is slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """What one frame adds. Grey levels of 255, of cells; None where there is no frame to compare with."""

    step: float | None
    """Root mean square difference from the frame before."""
    echo: float | None
    """The least root mean square difference from any frame that is at least a second older."""
    noise: float | None
    """Lower quartile over cells of the absolute difference from the frame before: what changes where nothing moves."""
    between: float | None
    """Root mean square difference of the frame before from the mean of its two neighbours."""


@dataclass(slots=True)
class FrameHistory:
    """The frames of one session, as cells. In memory only."""

    _seen: Cells = field(default_factory=lambda: np.empty((FEW, SIZE[0] * SIZE[1]), np.float32), init=False)
    """One row a frame; those of the first `len(_times)` rows."""
    _squares: Cells = field(default_factory=lambda: np.empty(FEW, np.float32), init=False)
    """Of each row, the sum over its cells."""
    _times: list[float] = field(default_factory=list, init=False)

    def add(self, luma: NDArray[np.uint8], *, at: float) -> Novelty:
        """Compare a frame with those before, and keep it.

        `luma`: uint8 (H, W), best of half the frame's size: faster, and its rounding leaves 0.04 grey levels in a cell.
        `at`: seconds, not falling.
        """
        cells, count = _cells(luma), len(self._times)
        older = bisect_right(self._times, at - LATER_SECONDS)
        change = cells - self._seen[count - 1] if count else None
        novelty = Novelty(
            step=None if change is None else _size(change),
            echo=_least_difference(cells, self._seen[:older], self._squares[:older]) if older else None,
            noise=None if change is None else _lower_quartile(np.abs(change)),
            between=_size(self._seen[count - 1] - (cells + self._seen[count - 2]) / 2) if count > 1 else None,
        )
        self._keep(cells, at)
        return novelty

    def _keep(self, cells: Cells, at: float) -> None:
        if len(self._times) == len(self._seen):
            self._seen = np.concatenate([self._seen, np.empty_like(self._seen)])
            self._squares = np.concatenate([self._squares, np.empty_like(self._squares)])
        self._seen[len(self._times)] = cells
        self._squares[len(self._times)] = cells @ cells
        self._times.append(at)


def _cells(luma: NDArray[np.uint8]) -> Cells:
    """Mean luma by cell less the whole frame's, (1200,): a change of exposure is no change of the picture."""
    cells = cv2.resize(luma.astype(np.float32), SIZE, interpolation=cv2.INTER_AREA).reshape(-1)
    return np.asarray(cells - cells.mean(), np.float32)


def _size(change: Cells) -> float:
    """Root mean square."""
    return float(np.sqrt(change @ change / len(change)))


def _lower_quartile(values: Cells) -> float:
    return float(np.partition(values, len(values) // 4)[len(values) // 4])


def _least_difference(cells: Cells, others: Cells, squares: Cells) -> float:
    """Root mean square difference from the nearest of some rows.

    Which one that is follows from |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, one product of matrix and vector; how far it is
    from the difference itself, which loses no digits.
    """
    nearest = int(np.argmin(squares - 2 * (others @ cells)))
    return _size(others[nearest] - cells)
