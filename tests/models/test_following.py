from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.detection import Face
from models.engine import Engine
from models.following import WHOLE_EVERY, FaceFollower
from models.image import Frame, decode_image


@dataclass
class Counting:
    """An engine that counts its looks at whole pictures."""

    engine: Engine
    whole: int = field(default=0)

    def detect(self, frame: Frame) -> tuple[Face, ...]:
        self.whole += 1
        return self.engine.detect(frame)

    def refine(self, frame: Frame, face: Face) -> Face:
        return self.engine.refine(frame, face)

    def around(self, frame: Frame, face: Face) -> tuple[Face, ...]:
        return self.engine.around(frame, face)


@pytest.fixture(scope="module")
def portrait(portraits: dict[str, bytes]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(decode_image(portraits["person_a_1"]).pixels, (240, 288)), np.uint8)


def frame_with(portrait: NDArray[np.uint8], *places: tuple[int, int]) -> Frame:
    """A grey frame of 480 x 640 with the portrait at these corners (x, y)."""
    picture = np.full((640, 480, 3), 128, np.uint8)
    for x, y in places:
        picture[y : y + portrait.shape[0], x : x + portrait.shape[1]] = portrait
    return Frame(picture)


def test_a_moving_face_is_followed_with_few_looks_at_the_whole(portrait: NDArray[np.uint8], engine: Engine) -> None:
    counting = Counting(engine)
    follower = FaceFollower(counting)  # type: ignore[arg-type]
    frames = [frame_with(portrait, (40 + 6 * step, 100 + 9 * step)) for step in range(12)]
    for frame in frames:
        found = follower.look(frame)
        alone = engine.refine(frame, engine.detect(frame)[0])
        assert found.count == 1
        assert found.face is not None
        assert np.abs(found.face.landmarks - alone.landmarks).max() < 0.15 * alone.eye_distance
    assert counting.whole == len(frames) // WHOLE_EVERY


def test_a_face_that_jumps_away_is_found_again_at_once(portrait: NDArray[np.uint8], engine: Engine) -> None:
    follower = FaceFollower(engine)
    follower.look(frame_with(portrait, (0, 0)))
    found = follower.look(frame_with(portrait, (230, 340)))
    assert found.face is not None
    assert found.face.box[1] > 340


def test_a_second_face_is_seen_within_the_next_frames_and_then_in_each(
    portrait: NDArray[np.uint8], engine: Engine
) -> None:
    follower = FaceFollower(engine)
    one, two = frame_with(portrait, (0, 0)), frame_with(portrait, (0, 0), (230, 340))
    follower.look(one)
    counts = [follower.look(two).count for _ in range(2 * WHOLE_EVERY)]
    assert counts[WHOLE_EVERY - 1 :] == [2] * (WHOLE_EVERY + 1)
    assert follower.look(two).face is None


@pytest.mark.parametrize("way", [(1, 0), (-1, 0), (0, 1), (0, -1)], ids=["right", "left", "down", "up"])
def test_a_face_that_leaves_the_crop_is_found_whole_or_not_at_all(
    portrait: NDArray[np.uint8], engine: Engine, way: tuple[int, int]
) -> None:
    """Half a face would be a face to the detector, with a box and landmarks of its own."""
    x, y = 120, 180
    (start,) = engine.detect(frame_with(portrait, (x, y)))
    counts = []
    for shift in range(0, 120, 5):
        frame = frame_with(portrait, (x + shift * way[0], y + shift * way[1]))
        found = engine.around(frame, start)
        counts.append(len(found))
        for face in found:
            alone = engine.refine(frame, engine.detect(frame)[0])
            assert np.abs(face.landmarks - alone.landmarks).max() < 0.15 * alone.eye_distance
    assert (counts[0], counts[-1]) == (1, 0)


def test_a_face_at_the_edge_of_the_frame_is_found(portrait: NDArray[np.uint8], engine: Engine) -> None:
    (start,) = engine.detect(frame_with(portrait, (0, 0)))
    left = int(start.box[0])
    cut = Frame(frame_with(portrait, (0, 0)).pixels[:, left:])
    (face,) = engine.around(cut, engine.detect(cut)[0])
    assert face.box[0] < 0.04 * face.box[3]


def test_nobody_is_nobody(portrait: NDArray[np.uint8], engine: Engine) -> None:
    follower = FaceFollower(engine)
    follower.look(frame_with(portrait, (0, 0)))
    found = follower.look(frame_with(portrait))
    assert (found.count, found.face) == (0, None)
