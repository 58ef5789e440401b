import cv2
import numpy as np
import pytest

from liveness.mean_face import in_face_units, nose_bump
from liveness.nose import ON_NOSE
from models.engine import Engine
from models.image import Frame, decode_image
from models.tracking import Tracks, follow_tracks, seed_tracks


@pytest.fixture(scope="module")
def start(portraits: dict[str, bytes], engine: Engine) -> tuple[np.ndarray, np.ndarray, Tracks]:
    """A picture's luma, its landmarks, and tracks that begin on it."""
    frame = Frame(cv2.resize(decode_image(portraits["person_a_1"]).pixels, (480, 576)))
    landmarks = engine.single_face(frame).landmarks
    return frame.luma(), landmarks, seed_tracks(frame.luma(), landmarks)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-7, 5)])
def test_points_follow_a_shift(start: tuple[np.ndarray, np.ndarray, Tracks], shift: tuple[int, int]) -> None:
    grey, landmarks, tracks = start
    moved = np.roll(grey, shift[::-1], axis=(0, 1))
    followed = follow_tracks(tracks, moved, landmarks + np.float32(shift))
    assert followed.usable
    assert np.abs(np.median(followed.current - followed.reference, axis=0) - shift).max() < 0.2


def test_points_follow_a_change_of_size(start: tuple[np.ndarray, np.ndarray, Tracks]) -> None:
    grey, landmarks, tracks = start
    middle = landmarks.mean(axis=0)
    matrix = np.column_stack([np.eye(2) * 1.05, middle * -0.05])
    moved = cv2.warpAffine(grey, matrix, grey.shape[1::-1])
    followed = follow_tracks(tracks, moved, (landmarks - middle) * np.float32(1.05) + middle)
    expected = (followed.reference - middle) * 1.05 + middle
    assert followed.usable
    assert np.median(np.abs(followed.current - expected)) < 0.3


def test_another_picture_loses_the_points(start: tuple[np.ndarray, np.ndarray, Tracks]) -> None:
    grey, landmarks, tracks = start
    noise = np.random.default_rng(1).integers(0, 256, grey.shape, dtype=np.uint8)
    assert not follow_tracks(tracks, noise, landmarks).usable


def test_a_picture_without_texture_gives_nothing_to_follow(start: tuple[np.ndarray, np.ndarray, Tracks]) -> None:
    grey, landmarks, _ = start
    assert not seed_tracks(np.full_like(grey, 128), landmarks).usable


def test_points_lie_on_the_face(start: tuple[np.ndarray, np.ndarray, Tracks]) -> None:
    _, landmarks, tracks = start
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    assert tracks.seeded >= 40
    assert np.linalg.norm(tracks.reference - landmarks.mean(axis=0), axis=1).max() < 2.6 * eyes


def test_enough_points_lie_on_the_nose(start: tuple[np.ndarray, np.ndarray, Tracks]) -> None:
    _, landmarks, tracks = start
    bump = nose_bump(in_face_units(tracks.reference, landmarks))
    assert (bump >= ON_NOSE).sum() >= 8


def test_points_follow_a_shift_in_a_dark_and_noisy_picture(start: tuple[np.ndarray, np.ndarray, Tracks]) -> None:
    grey, landmarks, _ = start
    noise = np.random.default_rng(3)

    def dark(picture: np.ndarray) -> np.ndarray:
        seen = picture * 0.35 + noise.normal(0, 5, picture.shape)
        return np.clip(seen, 0, 255).astype(np.uint8)

    tracks = seed_tracks(dark(grey), landmarks)
    followed = follow_tracks(tracks, dark(np.roll(grey, (4, 3), axis=(0, 1))), landmarks + np.float32([3, 4]))
    assert followed.survived > 0.6
    assert np.abs(np.median(followed.current - followed.reference, axis=0) - [3, 4]).max() < 0.3


@pytest.mark.parametrize("gain", [0.8, 0.93, 1.07, 1.25])
def test_a_smooth_face_keeps_its_points_when_the_camera_exposes_anew(
    start: tuple[np.ndarray, np.ndarray, Tracks], gain: float
) -> None:
    grey, landmarks, _ = start
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 4), np.float32) * np.float32(0.75)
    noise = np.random.default_rng(5)

    def seen(exposure: float) -> np.ndarray:
        return np.clip(smooth * exposure + noise.normal(0, 1, smooth.shape), 0, 255).astype(np.uint8)

    tracks = seed_tracks(seen(1.0), landmarks)
    followed = follow_tracks(tracks, seen(gain), landmarks)
    assert followed.survived > 0.8
    assert np.percentile(np.hypot(*(followed.current - followed.reference).T), 90) < 0.5
