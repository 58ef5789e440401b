"""The turns of a session, and how much relief they show between them.

Views are not counted one by one: how far one is turned is read from how much the face is squeezed, which is the
difference of two turns. If the reference was taken half turned, whoever rests for seconds looks turned, and flat, for
all that time. A turn counts once, however long it is held, and by what it shows where it is furthest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np

from liveness.relief import Relief

FURTHEST_SHARE = 0.8
"""Of a turn's furthest view, from which its views tell its relief."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A face that is turned for a while."""

    ratio: float
    """Relief ratio of the views that are turned furthest, their median (`liveness.relief`)."""
    foreshortening: float
    """Of the view that is turned furthest; degrees."""
    views: int
    """In which the face is turned."""


def split_turns(reliefs: Iterable[Relief | None], *, least_degrees: float) -> tuple[Turn, ...]:
    """The turns among views in their order: as long as the foreshortening stays at `least_degrees` or more.

    None is a view without relief: it ends a turn.
    """
    runs = groupby(reliefs, key=lambda each: each is not None and each.foreshortening >= least_degrees)
    return tuple(_turn([each for each in run if each is not None]) for turned, run in runs if turned)


def typical_turn(turns: Sequence[Turn], *, most_views: int) -> Turn:
    """The turn whose ratio is the median of all, weighted by their precision; `turns`: at least one.

    What is left of a homography varies by the noise of points whatever the turn, so a ratio's variance goes with the
    inverse square of the sine; and with that of the number of views, up to `most_views`.
    """
    by_ratio = sorted(turns, key=lambda turn: turn.ratio)
    sines = np.sin(np.radians([turn.foreshortening for turn in by_ratio]))
    weights = np.cumsum(sines**2 * np.minimum([turn.views for turn in by_ratio], most_views))
    return by_ratio[int(np.searchsorted(weights, weights[-1] / 2))]


def _turn(views: Sequence[Relief]) -> Turn:
    furthest = max(view.foreshortening for view in views)
    told = [view.ratio for view in views if view.foreshortening >= FURTHEST_SHARE * furthest]
    return Turn(ratio=median(told), foreshortening=furthest, views=len(views))
