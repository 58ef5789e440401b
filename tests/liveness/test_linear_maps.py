"""Linear maps: stretched and squeezed as by singular values, fitted in spite of a few wrong points."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from liveness.linear_maps import robust_least_squares, singular_values, squeeze_degrees

MATRICES = st.integers(2, 6).flatmap(
    lambda rows: arrays.arrays(np.float64, (rows, 2), elements=st.floats(-100, 100, width=32))
)


@given(MATRICES)
def test_singular_values_are_those_of_the_decomposition(matrix: np.ndarray) -> None:
    large, small = np.linalg.svd(matrix, compute_uv=False)
    assert singular_values(matrix) == pytest.approx((large, small), abs=1e-6 * large + 1e-12)


@pytest.mark.parametrize("degrees", [0.0, 5.0, 30.0, 60.0])
def test_a_plane_that_is_turned_away_is_squeezed_by_the_cosine(degrees: float) -> None:
    turned = np.array([[2.0, 0.0], [0.0, 2.0 * np.cos(np.radians(degrees))]])
    assert squeeze_degrees(turned) == pytest.approx(degrees, abs=1e-5)


def test_what_has_no_squeeze_says_so() -> None:
    assert squeeze_degrees(np.zeros((2, 2))) == 90.0
    assert isnan(squeeze_degrees(np.full((2, 2), np.nan)))
    assert all(isnan(value) for value in singular_values(np.array([[np.inf, 0.0], [0.0, 1.0]])))


def test_a_few_wrong_points_hardly_move_the_fit() -> None:
    drawn = np.random.default_rng(3)
    design = np.column_stack([drawn.normal(size=(60, 2)), np.ones(60)])
    truth = np.array([[1.1, 0.2], [-0.1, 0.9], [0.3, -0.2]])
    target = design @ truth
    target[:6] += 1.0
    assert robust_least_squares(design, target) == pytest.approx(truth, abs=0.01)
    assert np.linalg.lstsq(design, target, rcond=None)[0] != pytest.approx(truth, abs=0.01)
