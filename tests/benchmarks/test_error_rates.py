from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.error_rates import (
    Comparisons,
    accuracy_by_fold,
    best_threshold,
    det_points,
    mean_with_interval,
    operating_point,
)

SCORES = st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=40)


def protocol(genuine: list[float], impostor: list[float], *, folds: int = 2) -> Comparisons:
    """People 0, 1, …: each genuine pair is one person, each impostor pair two others."""
    count = len(genuine) + len(impostor)
    same = np.array([True] * len(genuine) + [False] * len(impostor))
    people = [(number, number) if same[number] else (number, (number + 1) % count) for number in range(count)]
    return Comparisons(
        scores=np.array(genuine + impostor),
        same=same,
        fold=np.arange(count) % folds,
        people=np.array(people),
    )


def test_a_known_protocol_has_the_known_figures() -> None:
    comparisons = protocol([0.9, 0.8, 0.7, 0.2], [0.5, 0.1, 0.0, -0.1])
    point = operating_point(comparisons, 0.25)
    assert point is not None
    assert (point.fmr, point.fnmr) == (0.25, 0.0)
    assert 0.1 < point.threshold <= 0.2


def test_a_failure_to_acquire_is_a_false_non_match_and_never_a_false_match() -> None:
    comparisons = protocol([0.9, -np.inf, 0.8, 0.7], [0.1, -np.inf, 0.0, -0.1])
    point = operating_point(comparisons, 0.25)
    assert point is not None
    assert point.fnmr == 0.25
    assert point.fmr <= 0.25


def test_too_few_impostors_are_not_measured() -> None:
    assert operating_point(protocol([0.9] * 4, [0.1] * 4), 0.01) is None


def test_ties_never_exceed_the_allowed_rate() -> None:
    point = operating_point(protocol([0.9] * 4, [0.5] * 10), 0.1)
    assert point is not None
    assert point.fmr == 0.0


@given(SCORES, SCORES, st.sampled_from([0.1, 0.3, 0.5]))
def test_the_false_match_rate_is_kept(genuine: list[float], impostor: list[float], target: float) -> None:
    point = operating_point(protocol(genuine, impostor), target)
    if point is not None:
        assert point.fmr <= target
        assert point.fmr == np.mean(np.array(impostor) >= point.threshold)
        assert point.fnmr == pytest.approx(np.mean(np.array(genuine) < point.threshold))


@given(SCORES, SCORES)
def test_a_det_curve_falls(genuine: list[float], impostor: list[float]) -> None:
    fmr, fnmr = det_points(protocol(genuine, impostor))
    assert (np.diff(fmr) <= 0).all()
    assert (np.diff(fnmr) >= 0).all()


@given(SCORES, SCORES)
def test_no_threshold_has_more_right_answers_than_the_best(genuine: list[float], impostor: list[float]) -> None:
    comparisons = protocol(genuine, impostor)
    scores, same = comparisons.scores, comparisons.same
    best = ((scores >= best_threshold(scores, same)) == same).sum()
    tried = [((scores >= threshold) == same).sum() for threshold in [*scores, 1.1]]
    assert best >= max(tried)


def test_a_fold_is_judged_by_the_threshold_of_the_others() -> None:
    comparisons = protocol([0.9, 0.9, 0.3, 0.9], [0.1, 0.1, 0.1, 0.5])
    moved = replace(comparisons, fold=np.array([0, 0, 1, 0, 0, 0, 0, 1]))
    judged = {each.fold: each for each in accuracy_by_fold(moved)}
    assert judged[1].threshold == 0.5
    assert judged[1].accuracy == 0.0


def test_the_interval_holds_the_mean() -> None:
    folds = accuracy_by_fold(protocol(list(np.linspace(0.2, 0.9, 40)), list(np.linspace(-0.2, 0.4, 40)), folds=5))
    mean, deviation, low, high = mean_with_interval(folds)
    assert low <= mean <= high
    assert deviation >= 0


def test_an_interval_over_people_is_wider_when_few_people_carry_the_pairs() -> None:
    many = protocol([0.9] * 30 + [-0.1] * 10, [0.0] * 40)
    one = np.where(many.same[:, None], np.arange(80)[:, None] // 10, many.people)
    few = replace(many, people=one)
    narrow, wide = operating_point(many, 0.1), operating_point(few, 0.1)
    assert narrow is not None
    assert wide is not None
    assert wide.fnmr_high - wide.fnmr_low > narrow.fnmr_high - narrow.fnmr_low
