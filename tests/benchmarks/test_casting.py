"""Simulated people of real photos: whoever stands before the camera looks into it, however the photo was taken."""

from math import hypot
from random import Random

import cv2
import numpy as np
import pytest

from benchmarks.phone.casting import FRONTAL_YAW, MIRRORED, frontal, living, steady_landmarks
from benchmarks.phone.head import Head, HeadPose
from models.engine import Engine
from models.image import Frame, decode_image
from models.pose import pose_from_landmarks


def yaw_of(picture: Frame, engine: Engine) -> float:
    return pose_from_landmarks(engine.refine(picture, engine.single_face(picture)).landmarks).yaw


def test_a_photo_that_looks_aside_is_rendered_straighter_than_it_was_taken(
    portraits: dict[str, bytes], engine: Engine
) -> None:
    photo = decode_image(portraits["person_a_2"])
    landmarks = engine.refine(photo, engine.single_face(photo)).landmarks
    assert abs(pose_from_landmarks(landmarks).yaw) > FRONTAL_YAW
    as_taken = yaw_of(Frame(Head.from_photo(photo.pixels, landmarks).render(HeadPose())), engine)
    scenes = [living(portraits["person_a_2"], engine=engine, rng=Random(seed)).scene(0.0) for seed in range(8)]
    yaws = [yaw_of(Frame(scene), engine) for scene in scenes]
    assert abs(float(np.median(yaws))) < 0.7 * abs(as_taken)


@pytest.mark.parametrize("name", ["person_a_1", "person_b_1", "person_b_2"])
def test_a_frontal_photo_is_laid_over_the_head_as_it_is(portraits: dict[str, bytes], engine: Engine, name: str) -> None:
    photo = portraits[name]
    assert frontal(photo, engine=engine)
    frame = decode_image(photo)
    head = Head.from_photo(frame.pixels, steady(frame, engine))
    person = living(photo, engine=engine, rng=Random(1), unrest=0.0)
    assert np.array_equal(person.scene(0.0), head.render(person._pose(0.0)))


def test_a_photo_with_somebody_behind_who_is_found_only_once_it_is_rendered_is_none_of_one_person(
    portraits: dict[str, bytes], engine: Engine
) -> None:
    photo = decode_image(portraits["person_b_1"]).pixels.copy()
    other = decode_image(portraits["person_a_1"])
    left, top, width, height = engine.single_face(other).box.astype(int)
    beside, above = width // 4, height // 4
    behind = other.pixels[top - above : top + height + above, left - beside : left + width + beside]
    photo[8:68, 8:52] = cv2.resize(behind, (44, 60), interpolation=cv2.INTER_AREA)
    assert len(engine.detect(Frame(photo))) == 1
    assert not frontal(cv2.imencode(".png", photo)[1].tobytes(), engine=engine)


@pytest.mark.parametrize("name", ["person_a_1", "person_a_2", "person_b_1", "person_b_2"])
def test_landmarks_of_a_mirror_image_are_the_mirror_image_of_landmarks(
    portraits: dict[str, bytes], engine: Engine, name: str
) -> None:
    frame = decode_image(portraits[name])
    mirrored = Frame(frame.pixels[:, ::-1])
    there, again = (steady(picture, engine) for picture in (frame, mirrored))
    back = np.array([frame.pixels.shape[1], 0]) + again[list(MIRRORED)] * np.array([-1, 1])
    eye_distance = hypot(*(there[1] - there[0]))
    assert np.abs(back - there).max() < 0.02 * eye_distance


def steady(frame: Frame, engine: Engine) -> np.ndarray:
    return steady_landmarks(frame, engine.refine(frame, engine.single_face(frame)), engine)


def test_the_pupils_stay_where_the_photo_has_them(portraits: dict[str, bytes], engine: Engine) -> None:
    """Seen from where it was taken, a photo is itself again, whatever turn it was taken with."""
    frame = decode_image(portraits["person_b_1"])
    landmarks = engine.refine(frame, engine.single_face(frame)).landmarks
    straight = Head.from_photo(frame.pixels, landmarks).render(HeadPose())
    taken = HeadPose(yaw=8.0, pitch=5.0)
    turned = Head.from_photo(frame.pixels, landmarks, turned=taken).render(taken)
    shift, _ = cv2.phaseCorrelate(face_of(straight, engine), face_of(turned, engine))
    assert hypot(*shift) < 2.0


def face_of(picture: np.ndarray, engine: Engine) -> np.ndarray:
    """The face about the middle of its eyes, (120, 120) luma."""
    frame = Frame(picture)
    face = engine.refine(frame, engine.single_face(frame))
    x, y = face.landmarks[:2].mean(axis=0)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return cv2.getRectSubPix(grey, (120, 120), (float(x), float(y) + 20))
