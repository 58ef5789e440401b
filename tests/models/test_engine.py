"""The pipeline on real faces: what is found, what is refused, and who is who."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.alignment import align
from models.embedding import cosine
from models.engine import Engine
from models.errors import FaceError, ModelError
from models.image import Frame, decode_image
from verify.policy import load_policy

THRESHOLD = load_policy().similarity
PAIRS = [("person_a_1", "person_a_2"), ("person_b_1", "person_b_2")]


@pytest.fixture(scope="module")
def frames(portraits: dict[str, bytes]) -> dict[str, Frame]:
    return {name: decode_image(photo) for name, photo in portraits.items()}


def refused(engine: Engine, frame: Frame) -> str:
    with pytest.raises(FaceError) as caught:
        engine.reference(frame)
    return caught.value.code


@pytest.mark.parametrize("pair", PAIRS)
def test_two_photos_of_one_person_match(engine: Engine, frames: dict[str, Frame], pair: tuple[str, str]) -> None:
    one, other = engine.reference(frames[pair[0]]), engine.probe(frames[pair[1]])
    assert cosine(one, other) >= THRESHOLD


def test_a_reference_is_between_a_face_and_its_mirror_image(engine: Engine, frames: dict[str, Frame]) -> None:
    for frame in frames.values():
        mirrored = engine.embedder.embed([align(frame, engine.single_face(frame)).mirrored()])[0]
        plain, reference = engine.probe(frame), engine.reference(frame)
        assert cosine(plain, mirrored) < min(cosine(reference, plain), cosine(reference, mirrored))
        assert cosine(reference, plain) == pytest.approx(cosine(reference, mirrored), abs=1e-5)


def test_photos_of_different_people_do_not(engine: Engine, frames: dict[str, Frame]) -> None:
    references = {name: engine.reference(frame) for name, frame in frames.items()}
    probes = {name: engine.probe(frame) for name, frame in frames.items()}
    people = {name: name.rsplit("_", 1)[0] if name.startswith("person") else name for name in frames}
    strangers = [(a, b) for a in frames for b in frames if people[a] < people[b]]
    assert len(strangers) > 10
    assert max(cosine(references[a], probes[b]) for a, b in strangers) < THRESHOLD


def test_landmarks_are_where_the_template_expects_them(engine: Engine, frames: dict[str, Frame]) -> None:
    for frame in frames.values():
        face = engine.single_face(frame)
        right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_mirrored_photo_shows_mirrored_landmarks(engine: Engine, frames: dict[str, Frame]) -> None:
    frame = frames["person_a_1"]
    width = frame.pixels.shape[1]
    face = engine.single_face(frame)
    mirrored = engine.single_face(Frame(frame.pixels[:, ::-1]))
    back = mirrored.landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [width - 1, 0]
    assert np.abs(back - face.landmarks).max() < 0.15 * face.eye_distance


@pytest.mark.parametrize("scale", [0.3, 0.6, 1.5, 3.0])
def test_the_size_of_a_photo_does_not_matter_much(engine: Engine, frames: dict[str, Frame], scale: float) -> None:
    frame = frames["person_b_1"]
    resized = cv2.resize(frame.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert cosine(engine.reference(frame), engine.reference(Frame(resized))) > 0.9


def test_refining_stays_with_the_face(engine: Engine, frames: dict[str, Frame]) -> None:
    for frame in frames.values():
        face = engine.single_face(frame)
        finer = engine.refine(frame, face)
        assert np.abs(finer.landmarks - face.landmarks).max() < 0.25 * face.eye_distance


@pytest.mark.parametrize("kind", ["grey", "noise", "gradient"])
def test_a_picture_without_a_face_is_refused(engine: Engine, kind: str) -> None:
    pictures = {
        "grey": np.full((400, 300, 3), 128, np.uint8),
        "noise": np.random.default_rng(1).integers(0, 256, (400, 300, 3), dtype=np.uint8),
        "gradient": np.repeat(np.linspace(0, 255, 300, dtype=np.uint8)[None, :, None], 400, 0).repeat(3, 2),
    }
    assert refused(engine, Frame(pictures[kind])) == "face_none"


def test_two_people_are_refused(engine: Engine, frames: dict[str, Frame]) -> None:
    both = [cv2.resize(frames[name].pixels, (300, 360)) for name in ("person_a_1", "person_b_1")]
    assert refused(engine, Frame(np.hstack(both))) == "face_several"


def test_a_small_face_in_the_background_is_no_second_person(engine: Engine, frames: dict[str, Frame]) -> None:
    sheet = cv2.resize(frames["person_a_1"].pixels, (600, 720))
    behind = cv2.resize(frames["person_b_1"].pixels, (100, 120))
    sheet[:120, :100] = behind
    assert engine.single_face(Frame(sheet)).eye_distance > 60


def test_a_face_of_twenty_pixels_is_refused(engine: Engine, frames: dict[str, Frame]) -> None:
    sheet = np.full((400, 400, 3), 120, np.uint8)
    small = cv2.resize(frames["person_a_1"].pixels, (34, 42), interpolation=cv2.INTER_AREA)
    sheet[180:222, 180:214] = small
    assert refused(engine, Frame(sheet)) in {"face_too_small", "face_none"}


def test_faces_come_largest_first(engine: Engine, frames: dict[str, Frame]) -> None:
    sheet = np.full((400, 800, 3), 90, np.uint8)
    sheet[20:380, 20:320] = cv2.resize(frames["person_a_1"].pixels, (300, 360))
    sheet[100:316, 500:680] = cv2.resize(frames["person_b_1"].pixels, (180, 216))
    found = engine.detect(Frame(sheet))
    assert [face.box[2] for face in found] == sorted((face.box[2] for face in found), reverse=True)
    assert len(found) == 2


def test_quality_tells_a_good_photo_from_a_bad_one(engine: Engine, frames: dict[str, Frame]) -> None:
    frame = frames["person_a_1"]
    face = engine.single_face(frame)
    good = engine.quality(frame, face)
    dark = engine.quality(Frame((frame.pixels * 0.2).astype(np.uint8)), face)
    blurred = engine.quality(Frame(cv2.GaussianBlur(frame.pixels, (0, 0), 8)), face)
    assert dark.brightness < 0.3 * good.brightness
    assert blurred.sharpness < 0.3 * good.sharpness
    assert good.inside == pytest.approx(1.0, abs=0.2)
    assert abs(good.pose.roll) < 20


def test_a_face_at_the_border_is_less_inside(engine: Engine, frames: dict[str, Frame]) -> None:
    frame = frames["person_a_1"]
    face = engine.single_face(frame)
    cut = Frame(frame.pixels[:, : int(face.box[0] + face.box[2] / 2)])
    assert engine.quality(cut, face).inside == pytest.approx(0.5, abs=0.1)


def test_threads_share_one_engine(engine: Engine, frames: dict[str, Frame]) -> None:
    expected = engine.reference(frames["person_a_1"])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: engine.reference(frames["person_a_1"]), range(12)))
    assert all(np.array_equal(each.vector, expected.vector) for each in found)


def test_a_pack_that_is_not_prepared_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="heyan models prepare") as caught:
        Engine.open(data_dir=tmp_path)
    assert caught.value.code == "model_missing"


def test_an_unknown_pack_is_named(data_dir: Path) -> None:
    with pytest.raises(ModelError) as caught:
        Engine.open(data_dir=data_dir, pack="nonsense")
    assert caught.value.code == "pack_unknown"


def test_it_says_what_it_runs_on(engine: Engine) -> None:
    described = engine.describe()
    assert (described["pack"], described["contract"]) == ("open", engine.contract)
    assert described["provider"] in {"cpu", "cuda", "tensorrt", "openvino"}


def test_a_jpeg_and_its_png_are_the_same_person(engine: Engine, portraits: dict[str, bytes]) -> None:
    buffer = BytesIO()
    Image.open(BytesIO(portraits["person_b_2"])).save(buffer, "PNG")
    one, other = (engine.reference(decode_image(data)) for data in (portraits["person_b_2"], buffer.getvalue()))
    assert cosine(one, other) > 0.98
