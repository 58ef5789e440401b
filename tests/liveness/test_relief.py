import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered_points import EYES_NOSE_MOUTH, head_points, seen, sheet_points

from liveness.relief import measure_relief

LANDMARKS = seen(EYES_NOSE_MOUTH)
turns = st.floats(15, 60) | st.floats(-60, -15)


@given(yaw=turns, pitch=st.floats(-30, 30), distance=st.floats(150, 600), seed=st.integers(0, 1000))
def test_no_motion_of_a_plane_looks_like_relief(yaw: float, pitch: float, distance: float, seed: int) -> None:
    sheet = sheet_points(seed=seed)
    before = seen(sheet, distance=400, noise=0.2, seed=seed)
    after = seen(sheet, yaw=yaw, pitch=pitch, distance=distance, noise=0.2, seed=seed + 1)
    relief = measure_relief(before, after, LANDMARKS)
    assert relief is not None
    assert relief.ratio < 0.035


@given(yaw=st.floats(14, 30) | st.floats(-30, -14), distance=st.floats(330, 600), seed=st.integers(0, 1000))
def test_a_turned_head_has_relief(yaw: float, distance: float, seed: int) -> None:
    head = head_points(seed=seed)
    before = seen(head, distance=distance, noise=0.2, seed=seed)
    after = seen(head, yaw=yaw, distance=distance, noise=0.2, seed=seed + 1)
    relief = measure_relief(before, after, seen(EYES_NOSE_MOUTH, distance=distance))
    assert relief is not None
    assert relief.ratio > 0.04


@pytest.mark.parametrize("angle", [20, 35, 50])
def test_foreshortening_is_the_angle_of_a_turned_plane(angle: float) -> None:
    sheet = sheet_points()
    relief = measure_relief(
        seen(sheet, distance=5000), seen(sheet, yaw=angle, distance=5000), seen(EYES_NOSE_MOUTH, distance=5000)
    )
    assert relief is not None
    assert relief.foreshortening == pytest.approx(angle, abs=1.5)


def test_few_or_degenerate_points_measure_nothing() -> None:
    points = seen(head_points())
    assert measure_relief(points[:11], points[:11], LANDMARKS) is None
    line = np.column_stack([np.arange(40), np.zeros(40)]).astype(np.float32)
    line_relief = measure_relief(line, line, LANDMARKS)
    assert line_relief is None or np.isfinite(line_relief.ratio)


def test_a_still_head_has_no_turn_to_judge_by() -> None:
    points = seen(head_points())
    relief = measure_relief(points, points, LANDMARKS)
    assert relief is not None
    assert relief.foreshortening < 1
