"""Error versus discard: FNMR at a fixed threshold as the worst comparisons by quality are left out.

Grother & Tabassi, "Performance of biometric quality measures" (PAMI 29, 2007); ISO/IEC 29794-1. The area under the
curve up to a share of discarded comparisons ranks measures (Schlett et al., "Considerations on the evaluation of
biometric quality assessment algorithms", TBIOM 2024); here it is taken in shares of the area of discarding at random,
whose curve is flat.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_DISCARDED = 0.2
GRID = np.linspace(0, MOST_DISCARDED, 41)
"""Shares of comparisons that are discarded, at which the curve is taken."""
RESAMPLES = 2000
LEVEL = 0.05
"""Of all components together: each is called predictive at this level over their number (Bonferroni)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """N genuine comparisons at one threshold, and their quality by component."""

    missed: NDArray[np.bool_]
    people: NDArray[np.int64]
    """Whose face each is of."""
    quality: Mapping[str, Floats]
    """The lesser score of both photos; infinite where neither could be assessed: such are kept longest."""

    @property
    def fnmr(self) -> float:
        """Without discarding."""
        return float(self.missed.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """What discarding by one component brings."""

    fnmr: tuple[float, ...]
    """At `GRID`."""
    area: float
    """Under the curve, in shares of discarding at random: below 1 errors go first."""
    area_low: float
    """95 % by bootstrap over people; `area_high` too."""
    area_high: float
    predicts: bool
    """Whether the area is below 1, at `LEVEL` over all components."""
    misleads: bool
    """Whether it is above 1."""
    assessed: float
    """Share of comparisons with a quality."""


def discards(trials: Trials, *, advance: Callable[[], object]) -> dict[str, Discard]:
    """By component; `advance` after each.

    Raises:
        ValueError: nothing was missed, so that there is nothing to predict.
    """
    if not trials.missed.any():
        raise ValueError("no comparison was missed: there is no error that quality could predict")
    weights = _people_weights(trials.people)
    found: dict[str, Discard] = {}
    for name, quality in trials.quality.items():
        found[name] = _discard(trials.missed, quality, weights, tests=len(trials.quality))
        advance()
    return found


def fnmr_curve(missed: NDArray[np.bool_], quality: Floats, weights: Floats) -> Floats:
    """FNMR at `GRID`, (41,). Comparisons of equal quality go together, each share of them with its share of errors."""
    order, ends = _ranked(quality)
    return _curve(missed[order], weights[order], ends)


def relative_area(curve: Floats) -> float:
    """Area under a curve in shares of the area under its first value. NaN if that is 0."""
    return float(np.trapezoid(curve, GRID) / (curve[0] * MOST_DISCARDED)) if curve[0] > 0 else float("nan")


def best_area(fnmr: float) -> float:
    """The area if errors were discarded before all else."""
    return relative_area(np.maximum(0.0, fnmr - GRID) / (1 - GRID))


def _discard(missed: NDArray[np.bool_], quality: Floats, weights: Floats, *, tests: int) -> Discard:
    order, ends = _ranked(quality)
    ordered = missed[order]
    curve = _curve(ordered, np.ones(len(order)), ends)
    areas = np.array([relative_area(_curve(ordered, each[order], ends)) for each in weights])
    low, high = np.nanquantile(areas, [0.025, 0.975])
    least, most = np.nanquantile(areas, [LEVEL / tests, 1 - LEVEL / tests])
    return Discard(
        fnmr=tuple(curve.tolist()),
        area=relative_area(curve),
        area_low=float(low),
        area_high=float(high),
        predicts=bool(most < 1),
        misleads=bool(least > 1),
        assessed=float(np.isfinite(quality).mean()),
    )


def _ranked(quality: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in rising order of quality, and where each group of equal quality ends in that order."""
    order = np.argsort(quality, kind="stable")
    ranked = quality[order]
    return order, np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(order) - 1)


def _curve(missed: NDArray[np.bool_], weights: Floats, ends: NDArray[np.int64]) -> Floats:
    """Arguments in rising order of quality; `ends`: the last of each group of equal quality."""
    gone = np.concatenate([[0.0], np.cumsum(weights)[ends]])
    errors = np.concatenate([[0.0], np.cumsum(weights * missed)[ends]])
    discarded = np.interp(GRID, gone / gone[-1], errors)
    return np.asarray((errors[-1] - discarded) / (gone[-1] * (1 - GRID)))


def _people_weights(people: NDArray[np.int64]) -> Floats:
    """(resamples, N): how often each comparison counts when people are drawn."""
    named, place = np.unique(people, return_inverse=True)
    draws = np.random.default_rng(0).multinomial(len(named), np.full(len(named), 1 / len(named)), size=RESAMPLES)
    return np.asarray(draws[:, place], np.float64)
