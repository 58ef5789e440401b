"""Error rates of all comparisons of a group of people at one threshold, with bounds over people."""

from math import floor

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import binomtest

from benchmarks.calibration.comparing import PeopleScores
from benchmarks.error_rates import CONFIDENCE, LEAST_ERRORS, RESAMPLES
from verify.calibration import GroupRates

Floats = NDArray[np.float64]

THOUSANDTHS = 1000
"""A cosine differs in its sixth digit between processors; a threshold should not."""
CLEARANCE = 2e-4
"""By so much at least a threshold is above the cosine that it keeps out: what weights in 8 bits, which some machines
use, move a cosine by (root mean square over LFW and NUAA)."""


def threshold_at(pairs: PeopleScores, target_fmr: float) -> float | None:
    """The lowest threshold, in thousandths, at which FMR is at most the target; None if fewer than one error would be
    allowed, so that the comparisons cannot tell."""
    scores = pairs.scores[~pairs.genuine]
    allowed = int(target_fmr * len(scores))
    if target_fmr * len(scores) < LEAST_ERRORS:
        return None
    blocking = float(np.partition(scores, len(scores) - 1 - allowed)[len(scores) - 1 - allowed])
    return (floor((blocking + CLEARANCE) * THOUSANDTHS) + 1) / THOUSANDTHS


def rates_at(pairs: PeopleScores, threshold: float, *, population: str, target_fmr: float) -> GroupRates:
    """What the comparisons of one group say of a threshold."""
    genuine, matches = pairs.genuine, pairs.scores >= threshold
    resamples = _resamples(len(pairs.people))
    wrong = _by_person_pair(pairs, ~genuine & matches)
    impostors = _by_person_pair(pairs, ~genuine)
    missed, own = (np.bincount(pairs.first[genuine & which], minlength=len(pairs.people)) for which in (~matches, True))
    confused = wrong.nnz
    return GroupRates(
        population=population,
        people=len(pairs.people),
        person_pairs=impostors.nnz,
        confused_person_pairs=confused,
        impostors=int(impostors.sum()),
        fmr=_share(wrong.sum(), impostors.sum()),
        fmr_upper_95=_upper(_pairwise(wrong, impostors, resamples), confused, impostors.nnz),
        genuine=int(own.sum()),
        fnmr=_share(missed.sum(), own.sum()),
        fnmr_upper_95=_upper(
            _ratios(resamples @ missed, resamples @ own), int((missed > 0).sum()), int((own > 0).sum())
        ),
        threshold_at_target=threshold_at(pairs, target_fmr),
    )


def worst_person_pair(pairs: PeopleScores, threshold: float) -> float | None:
    """The largest share of false matches between any two people; None without two."""
    impostors = _by_person_pair(pairs, ~pairs.genuine)
    if not impostors.nnz:
        return None
    wrong = _by_person_pair(pairs, ~pairs.genuine & (pairs.scores >= threshold)).tocoo()
    return float(max(wrong.data / impostors.tocsr()[wrong.row, wrong.col].A1, default=0.0)) if wrong.nnz else 0.0


def _by_person_pair(pairs: PeopleScores, which: NDArray[np.bool_]) -> csr_matrix:
    """How many of some comparisons each two people have, (people, people)."""
    count = len(pairs.people)
    ends = pairs.first[which], pairs.second[which]
    return csr_matrix((np.ones(len(ends[0])), ends), shape=(count, count))


def _resamples(people: int) -> Floats:
    """How often each resample of the people draws each, (resamples, people)."""
    rng = np.random.default_rng(0)
    return rng.multinomial(people, np.full(people, 1 / people), size=RESAMPLES).astype(np.float64)


def _pairwise(wrong: csr_matrix, all_of_them: csr_matrix, resamples: Floats) -> Floats:
    """FMR in each resample; a comparison counts as often as its people, multiplied (Owen, Ann. Appl. Stat. 1, 2007)."""
    errors, trials = ((resamples * (counts @ resamples.T).T).sum(axis=1) for counts in (wrong, all_of_them))
    return _ratios(errors, trials)


def _ratios(errors: Floats, trials: Floats) -> Floats:
    """Shares, of the resamples that allow a trial at all."""
    return np.asarray(errors[trials > 0] / trials[trials > 0])


def _upper(shares: Floats, wrong: int, independent: int) -> float | None:
    """Upper end of the 95 % interval: percentile of the resamples, or with no error Clopper-Pearson's on how many could
    have erred independently (people, or pairs of people); None without any of them."""
    if independent == 0:
        return None
    if wrong == 0:
        return float(binomtest(0, independent).proportion_ci(CONFIDENCE, method="exact").high)
    return float(np.quantile(shares, (1 + CONFIDENCE) / 2))


def _share(errors: float, trials: float) -> float | None:
    return float(errors / trials) if trials else None
