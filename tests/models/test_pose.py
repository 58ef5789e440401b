"""Pose from five landmarks: a turned mean head gives its own angles back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pose import MEAN_HEAD, pose_from_landmarks

ANGLES = st.floats(-40, 40)


def seen(*, yaw: float, pitch: float, roll: float, scale: float = 1.5) -> np.ndarray:
    """The mean head's landmarks, (5, 2) pixels, by scaled orthography; degrees."""
    a, b, c = np.radians([yaw, pitch, roll])
    turn_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return ((scale * MEAN_HEAD @ (turn_z @ turn_x @ turn_y).T)[:, :2] + 200).astype(np.float32)


@given(ANGLES, ANGLES, ANGLES)
def test_a_turned_head_gives_its_angles_back(yaw: float, pitch: float, roll: float) -> None:
    pose = pose_from_landmarks(seen(yaw=yaw, pitch=pitch, roll=roll))
    assert (abs(pose.yaw), abs(pose.pitch)) == pytest.approx((abs(yaw), abs(pitch)), abs=0.01)
    assert pose.roll == pytest.approx(roll, abs=0.01)


def test_left_is_the_persons_own_and_up_is_up() -> None:
    """The tip of the nose goes to the right of the picture, or up in it."""
    left, up = MEAN_HEAD[:, :2] + 200, MEAN_HEAD[:, :2] + 200
    left[2, 0] += 10
    up[2, 1] -= 10
    assert pose_from_landmarks(left.astype(np.float32)).yaw > 5
    assert pose_from_landmarks(up.astype(np.float32)).pitch > 5


def test_landmarks_on_a_line_have_finite_angles() -> None:
    line = np.column_stack([np.linspace(0, 40, 5), np.linspace(0, 80, 5)]).astype(np.float32)
    pose = pose_from_landmarks(line)
    assert np.isfinite([pose.yaw, pose.pitch, pose.roll]).all()


@pytest.mark.parametrize("landmarks", [np.full((5, 2), np.nan, np.float32), np.zeros((5, 2), np.float32)])
def test_what_is_no_face_has_no_pose(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no pose"):
        pose_from_landmarks(landmarks)
