"""Error rates of a verification protocol (ISO/IEC 19795-1), with intervals over people.

Scores are cosines, −1 to 1; a comparison with an image in which no face was found has the score −∞ and so never
matches: a failure to acquire counts as a false non-match, and never as a false match.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

LEAST_ERRORS = 1.0
"""An FMR is looked at only if that many impostor comparisons may be wrong at it; below, the data cannot tell."""

CONFIDENCE = 0.95
RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """All comparisons of a protocol, N each."""

    scores: Floats
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]
    people: NDArray[np.int64]
    """(N, 2): numbers of the people on the two images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldAccuracy:
    """Share of right answers on one fold, at the threshold that is best on all others."""

    fold: int
    threshold: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """FNMR at the threshold that keeps FMR at or below a target; interval by bootstrap over people."""

    target_fmr: float
    threshold: float
    fmr: float
    fnmr: float
    fnmr_low: float
    fnmr_high: float


def accuracy_by_fold(comparisons: Comparisons) -> tuple[FoldAccuracy, ...]:
    """Accuracy of each fold (LFW's view 2: Huang et al., UMass TR 07-49, 2007). Needs two folds or more."""
    return tuple(_fold_accuracy(comparisons, int(fold)) for fold in np.unique(comparisons.fold))


def mean_with_interval(accuracies: tuple[FoldAccuracy, ...]) -> tuple[float, float, float, float]:
    """Mean, standard deviation over folds (n − 1), and the mean's 95 % interval by Student's t."""
    values = np.array([each.accuracy for each in accuracies])
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * deviation / sqrt(len(values))
    return mean, deviation, mean - reach, mean + reach


def operating_point(comparisons: Comparisons, target_fmr: float, *, seed: int = 0) -> OperatingPoint | None:
    """FNMR at an FMR; None if there are too few impostor comparisons to tell.

    The interval is the percentile interval of a bootstrap that draws people, not pairs, with the threshold found anew
    each time (Bolle, Ratha, Pankanti: Error analysis of pattern recognition systems, CVIU 93, 2004; weights of a pair
    by the product of its people's counts: Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1, 2007).
    """
    impostors = int((~comparisons.same).sum())
    if target_fmr * impostors < LEAST_ERRORS:
        return None
    ones = np.ones(len(comparisons.scores))
    threshold, fmr, fnmr = _at_fmr(comparisons, ones, target_fmr)
    draws = _people_weights(comparisons, np.random.default_rng(seed))
    resampled = [_at_fmr(comparisons, weights, target_fmr)[2] for weights in draws] or [0.0, 1.0]
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return OperatingPoint(
        target_fmr=target_fmr, threshold=threshold, fmr=fmr, fnmr=fnmr, fnmr_low=float(low), fnmr_high=float(high)
    )


def det_points(comparisons: Comparisons) -> tuple[Floats, Floats]:
    """FMR and FNMR at every threshold that makes a difference, thresholds rising; each (K,)."""
    thresholds = np.unique(comparisons.scores[np.isfinite(comparisons.scores)])
    genuine = np.sort(comparisons.scores[comparisons.same])
    impostor = np.sort(comparisons.scores[~comparisons.same])
    fmr = 1 - np.searchsorted(impostor, thresholds, side="left") / len(impostor)
    fnmr = np.searchsorted(genuine, thresholds, side="left") / len(genuine)
    return fmr, fnmr


def best_threshold(scores: Floats, same: NDArray[np.bool_]) -> float:
    """The threshold with most right answers, in the middle of its gap; of equals the lowest. −∞ never matches."""
    finite = np.isfinite(scores)
    if not finite.any():
        return 1.0
    order = np.argsort(-scores[finite], kind="stable")
    ordered, gain = scores[finite][order], np.where(same[finite][order], 1, -1)
    gains = np.concatenate([[0], np.cumsum(gain)])
    distinct = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])
    best = int(np.flatnonzero(distinct & (gains == gains[distinct].max()))[-1])
    if best == 0:
        return float(np.nextafter(ordered[0], np.inf))
    below = ordered[best] if best < len(ordered) else -1.0
    return float((ordered[best - 1] + below) / 2)


def _fold_accuracy(comparisons: Comparisons, fold: int) -> FoldAccuracy:
    inside = comparisons.fold == fold
    threshold = best_threshold(comparisons.scores[~inside], comparisons.same[~inside])
    right = (comparisons.scores[inside] >= threshold) == comparisons.same[inside]
    return FoldAccuracy(fold=fold, threshold=threshold, accuracy=float(right.mean()))


def _at_fmr(comparisons: Comparisons, weights: Floats, target: float) -> tuple[float, float, float]:
    """Threshold, FMR and FNMR: the lowest threshold at which the weighted FMR does not exceed the target."""
    impostor, genuine = ~comparisons.same, comparisons.same
    order = np.argsort(-comparisons.scores[impostor])
    scores, carried = comparisons.scores[impostor][order], weights[impostor][order]
    passed = np.cumsum(carried) / carried.sum()
    allowed = int(np.searchsorted(passed, target + 1e-12, side="right"))
    blocking = scores[allowed] if allowed < len(scores) else -np.inf
    threshold = float(np.nextafter(blocking, np.inf))
    missed = weights[genuine][comparisons.scores[genuine] < threshold].sum() / weights[genuine].sum()
    fmr = float(carried[scores >= threshold].sum() / carried.sum())
    return threshold, fmr, float(missed)


def _people_weights(comparisons: Comparisons, rng: np.random.Generator) -> "list[Floats]":
    """Weights of all comparisons for each resample of the people that leaves pairs of both kinds."""
    count = int(comparisons.people.max()) + 1
    draws = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float)
    first, second = comparisons.people.T
    within = first == second
    weights = [np.where(within, draw[first], draw[first] * draw[second]) for draw in draws]
    return [each for each in weights if each[comparisons.same].any() and each[~comparisons.same].any()]
