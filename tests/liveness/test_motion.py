import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rendered_points import EYES_NOSE_MOUTH, head_points, seen, sheet_points

from liveness.motion import measure_motion

LANDMARKS = seen(EYES_NOSE_MOUTH)
small = st.floats(8, 28) | st.floats(-28, -8)


@given(yaw=small, seed=st.integers(0, 1000))
def test_yaw_has_the_sign_and_about_the_size_of_the_turn(yaw: float, seed: int) -> None:
    head = head_points(seed=seed)
    motion = measure_motion(seen(head, noise=0.2, seed=seed), seen(head, yaw=yaw, noise=0.2, seed=seed + 1), LANDMARKS)
    assert motion is not None
    assert 0.6 < motion.yaw / yaw < 2.0
    assert abs(motion.pitch) < 8


@given(pitch=small, seed=st.integers(0, 1000))
def test_pitch_has_the_sign_and_about_the_size_of_the_look(pitch: float, seed: int) -> None:
    head = head_points(seed=seed)
    after = seen(head, pitch=pitch, noise=0.2, seed=seed + 1)
    motion = measure_motion(seen(head, noise=0.2, seed=seed), after, LANDMARKS)
    assert motion is not None
    assert 0.4 < motion.pitch / pitch < 2.0
    assert abs(motion.yaw) < 8


@given(yaw=st.floats(-45, 45), distance=st.floats(200, 600), seed=st.integers(0, 1000))
def test_a_turned_sheet_does_not_move_like_a_head(yaw: float, distance: float, seed: int) -> None:
    sheet = sheet_points(seed=seed)
    motion = measure_motion(
        seen(sheet, distance=distance),
        seen(sheet, yaw=yaw, distance=distance),
        seen(EYES_NOSE_MOUTH, distance=distance),
    )
    assert motion is not None
    assert abs(motion.yaw) < 16


def test_coming_closer_is_scale() -> None:
    head = head_points()
    motion = measure_motion(seen(head, distance=400), seen(head, distance=300), LANDMARKS)
    assert motion is not None
    assert 1.25 < motion.scale < 1.42
    assert abs(motion.yaw) < 3


def test_few_points_measure_nothing() -> None:
    points = seen(head_points())[:11]
    assert measure_motion(points, points, LANDMARKS) is None


def test_collapsed_points_measure_nothing() -> None:
    points = np.full((30, 2), 5.0, np.float32)
    assert measure_motion(seen(head_points(30)), points, LANDMARKS) is None
