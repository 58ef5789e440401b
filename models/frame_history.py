"""How a frame stands to the frames before it: new, or one of them again, or made of its neighbours.

Each frame is reduced to the mean luma of 30 x 40 cells, of which some 256 pixels make one: a sensor's noise of 3 grey
levels leaves 0.2 there, so that two pictures of a still scene differ by about that, and those of a moving one by more.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.image import Frame

Cells = NDArray[np.float32]

SIZE = (30, 40)
"""Width and height in cells."""
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
"""Of BGR (BT.601)."""
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

    _seen: list[Cells] = field(default_factory=list, init=False)
    _times: list[float] = field(default_factory=list, init=False)

    def add(self, frame: Frame, *, at: float) -> Novelty:
        """Compare a frame with those before, and keep it. `at`: seconds, not falling."""
        cells = _cells(frame)
        older = sum(time <= at - LATER_SECONDS for time in self._times)
        novelty = Novelty(
            step=_difference(cells, self._seen[-1]) if self._seen else None,
            echo=_least_difference(cells, self._seen[:older]) if older else None,
            noise=float(np.quantile(np.abs(cells - self._seen[-1]), 0.25)) if self._seen else None,
            between=_difference(self._seen[-1], np.asarray((cells + self._seen[-2]) / 2, np.float32))
            if len(self._seen) > 1
            else None,
        )
        self._seen.append(cells)
        self._times.append(at)
        return novelty


def _cells(frame: Frame) -> Cells:
    """Mean luma by cell less the whole frame's, (40, 30): a change of exposure is no change of the picture."""
    small = np.asarray(cv2.resize(frame.pixels, SIZE, interpolation=cv2.INTER_AREA), np.float32)
    luma = small @ LUMA
    return np.asarray(luma - luma.mean(), np.float32)


def _difference(one: Cells, other: Cells) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _least_difference(cells: Cells, others: list[Cells]) -> float:
    return float(np.sqrt(np.mean((np.stack(others) - cells) ** 2, axis=(1, 2)).min()))
