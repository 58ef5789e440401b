import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered_points import EYES_NOSE_MOUTH, bent_points, head_points, seen, sheet_points

from liveness.nose import Protrusion, measure_protrusion

turns = st.floats(14, 32) | st.floats(-32, -14)


def height(points: np.ndarray, *, yaw: float, distance: float = 400.0, seed: int = 0) -> float:
    before = seen(points, distance=distance, noise=0.2, seed=seed)
    after = seen(points, yaw=yaw, distance=distance, noise=0.2, seed=seed + 1)
    protrusion = measure_protrusion(before, after, seen(EYES_NOSE_MOUTH, distance=distance))
    assert protrusion is not None
    return protrusion.height(yaw=yaw)


@settings(deadline=None)
@given(yaw=turns, distance=st.floats(330, 600), seed=st.integers(0, 300))
def test_a_turned_head_shows_its_nose(yaw: float, distance: float, seed: int) -> None:
    assert height(head_points(240, seed), yaw=yaw, distance=distance, seed=seed) > 0.08


@settings(deadline=None)
@given(yaw=turns, radius=st.floats(45, 120), seed=st.integers(0, 300))
def test_bent_paper_shows_none(yaw: float, radius: float, seed: int) -> None:
    assert height(bent_points(radius, 240, seed), yaw=yaw, seed=seed) < 0.05


@settings(deadline=None)
@given(yaw=turns, seed=st.integers(0, 300))
def test_flat_paper_shows_none(yaw: float, seed: int) -> None:
    assert abs(height(sheet_points(240, seed), yaw=yaw, seed=seed)) < 0.05


def test_a_nose_that_runs_the_wrong_way_is_a_hollow() -> None:
    assert Protrusion(across=-0.1, down=0.0).height(yaw=20) < 0
    assert Protrusion(across=-0.1, down=0.0).height(yaw=-20) > 0


@pytest.mark.parametrize("kept", [23, 0])
def test_few_points_measure_nothing(kept: int) -> None:
    points = seen(head_points(110))[:kept]
    assert measure_protrusion(points, points, seen(EYES_NOSE_MOUTH)) is None


def test_a_face_without_points_on_the_nose_measures_nothing() -> None:
    head = head_points(200)
    bare = head[np.hypot(head[:, 0], head[:, 1] - 40) > 35]
    assert measure_protrusion(seen(bare), seen(bare, yaw=20), seen(EYES_NOSE_MOUTH)) is None
