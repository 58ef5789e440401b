"""The portrait is found in photos of cards, turned and askew, beside its ghost image; two people are refused."""

from dataclasses import dataclass
from io import BytesIO
from typing import cast

import cv2
import numpy as np
import pytest
from PIL import Image

from api.comparison import compare_photos, judge_photo
from benchmarks.degradations.cards import Card, Pixels, photograph
from models.alignment import TEMPLATE
from models.detection import Detector, Face
from models.embedding import Embedding, cosine
from models.engine import Engine
from models.errors import FaceError
from models.image import EXIF_ORIENTATION, Frame, decode_image
from models.portrait import ELSEWHERE, SURE, find_portrait, read_portrait
from verify.policy import load_policy
from verify.reference_quality import QualityStatus, make_reference, quality_lines

POLICY = load_policy()
PAIRS = [("person_a_1", "person_a_2"), ("person_b_1", "person_b_2")]
TURNS = [0, 90, 180, 270]
CARDS = [Card(face=90, turn=turn, askew=12, tilt=0.1, ghost=ghost) for turn in TURNS for ghost in (None, 0.35, 0.5)]


@pytest.fixture(scope="module")
def frames(portraits: dict[str, bytes]) -> dict[str, Frame]:
    return {name: decode_image(photo) for name, photo in portraits.items()}


@pytest.fixture(scope="module")
def prints(engine: Engine, frames: dict[str, Frame]) -> dict[str, Pixels]:
    """Portraits as they are printed on cards: head and shoulders, a face of 200 pixels."""
    return {name: printed(frame, engine) for name, frame in frames.items()}


def printed(frame: Frame, engine: Engine) -> Pixels:
    x, y, width, height = engine.single_face(frame).box
    left, right = (max(0, int(x + width / 2 + side * 0.65 * height)) for side in (-1, 1))
    cut = frame.pixels[max(0, int(y - 0.4 * height)) : int(y + 1.2 * height), left:right]
    return np.asarray(cv2.resize(cut, None, fx=200 / height, fy=200 / height, interpolation=cv2.INTER_AREA), np.uint8)


def photo_of(portrait: Pixels, card: Card, *, beside: Pixels | None = None) -> Frame:
    return Frame(photograph(portrait, 200, card, np.random.default_rng(7), beside=beside))


def refused(engine: Engine, frame: Frame) -> str:
    with pytest.raises(FaceError) as caught:
        engine.reference(frame)
    return caught.value.code


def turned(frame: Frame, quarters: int) -> Frame:
    return Frame(np.rot90(frame.pixels, -quarters))


def jpeg(frame: Frame, *, orientation: int | None = None) -> bytes:
    buffer, exif = BytesIO(), Image.Exif()
    if orientation is not None:
        exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(frame.pixels[..., ::-1])).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


@dataclass(frozen=True)
class Scripted:
    """A detector that finds what it is told, by how often the square photo was turned clockwise: its corner says."""

    faces: tuple[tuple[Face, ...], ...]

    def detect(self, frame: Frame) -> tuple[Face, ...]:
        corners = [frame.pixels[0, 0], frame.pixels[0, -1], frame.pixels[-1, -1], frame.pixels[-1, 0]]
        return self.faces[int(np.argmax([corner.max() for corner in corners]))]

    def refine(self, _frame: Frame, face: Face) -> Face:
        return face


def scripted(*faces: tuple[Face, ...]) -> Scripted:
    return Scripted(faces + ((),) * (4 - len(faces)))


def face_at(x: float, y: float, height: float, score: float) -> Face:
    """A square box, and landmarks as they stand in an upright face."""
    box = np.array([x, y, height, height], np.float32)
    return Face(box, (box[:2] + TEMPLATE * height / 112).astype(np.float32), score)


def found_by(detector: Scripted) -> Face:
    pixels = np.zeros((1000, 1000, 3), np.uint8)
    pixels[0, 0] = 255
    one = np.eye(1, 4, dtype=np.float32)[0]
    return find_portrait(Frame(pixels), detector=cast(Detector, detector), embed=lambda *_: Embedding(one, "test")).face


def test_what_lies_upright_for_sure_is_not_turned_though_it_is_refused() -> None:
    """A larger face that is hardly seen hides neither the sure one, nor that there are two."""
    both = (face_at(500, 100, 300, 0.62), face_at(100, 100, 220, SURE))
    with pytest.raises(FaceError, match="2 faces"):
        found_by(scripted(both, (), (face_at(100, 100, 300, 0.99),)))


def test_the_best_turn_is_taken_if_it_is_clearly_better() -> None:
    upright, turned_face = face_at(100, 100, 300, 0.86), face_at(600, 600, 300, 0.87)
    assert found_by(scripted((upright,), (), (turned_face,))) is upright
    better = face_at(600, 600, 300, 0.90)
    assert found_by(scripted((upright,), (), (better,))) is better


def test_a_turn_in_which_the_largest_face_lies_is_not_taken() -> None:
    lying = face_at(100, 100, 400, 0.9)
    lying = Face(lying.box, np.ascontiguousarray(lying.landmarks[:, ::-1]), lying.score)
    with pytest.raises(FaceError, match="no face was found"):
        found_by(scripted((), (lying, face_at(700, 700, 150, 0.95))))


@pytest.mark.parametrize(("score", "height"), [(ELSEWHERE - 0.01, 300.0), (0.85, 149.0)])
def test_a_weak_or_small_face_elsewhere_is_nobody(score: float, height: float) -> None:
    better = face_at(600, 600, 300, 0.95)
    assert found_by(scripted((face_at(600, 600, height, score),), (), (better,))) is better
    with pytest.raises(FaceError, match="2 faces"):
        found_by(scripted((face_at(600, 600, 150, ELSEWHERE),), (), (better,)))


@pytest.mark.parametrize("card", CARDS, ids=str)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_portrait_on_a_card_matches_another_photo(
    engine: Engine, frames: dict[str, Frame], prints: dict[str, Pixels], pair: tuple[str, str], card: Card
) -> None:
    photo = photo_of(prints[pair[0]], card)
    assert cosine(engine.reference(photo), engine.probe(frames[pair[1]])) >= POLICY.similarity


@pytest.mark.parametrize("askew", [-20, 20])
@pytest.mark.parametrize("face", [75, 120])
def test_cards_askew_and_small_or_large(
    engine: Engine, frames: dict[str, Frame], prints: dict[str, Pixels], face: float, askew: float
) -> None:
    photo = photo_of(prints["person_b_1"], Card(face=face, askew=askew, turn=270, ghost=0.35))
    assert cosine(engine.reference(photo), engine.probe(frames["person_b_2"])) >= POLICY.similarity


def test_glare_over_a_part_of_the_face_is_warned_of(
    engine: Engine, frames: dict[str, Frame], prints: dict[str, Pixels]
) -> None:
    clear, glared = (
        make_reference(photo_of(prints["person_b_1"], Card(face=110, turn=90, glare=glare)), engine, quality_lines())
        for glare in (0.0, 1.0)
    )
    assert cosine(glared.template, engine.probe(frames["person_b_2"])) >= POLICY.similarity
    assert "over_exposure_prevention" in glared.warnings
    assert "over_exposure_prevention" not in clear.warnings


@pytest.mark.parametrize("name", ["person_a_1", "person_b_1", "impostor_1", "impostor_2"])
def test_an_upright_photo_is_taken_as_it_lies_and_a_turned_one_turned_back(
    engine: Engine, frames: dict[str, Frame], name: str
) -> None:
    frame = frames[name]
    expected = engine.single_face(frame)
    found = engine.portrait(frame)
    assert found.frame is frame
    assert np.array_equal(found.face.box, expected.box)
    assert np.array_equal(found.face.landmarks, expected.landmarks)
    for quarters in (1, 2, 3):
        back = engine.portrait(turned(frame, quarters))
        assert np.array_equal(back.frame.pixels, frame.pixels)
        assert np.abs(back.face.landmarks - expected.landmarks).max() < 0.25 * expected.eye_distance


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("size", [0.7, 0.85, 1.0])
def test_two_people_of_similar_size_are_refused_however_they_lie(
    engine: Engine, prints: dict[str, Pixels], size: float, turn: int
) -> None:
    card = Card(face=100, turn=turn, askew=5, ghost=size)
    assert refused(engine, photo_of(prints["person_a_1"], card, beside=prints["person_b_1"])) == "face_several"


def test_a_face_more_than_half_as_high_is_a_ghost_image_only_of_the_same_portrait(
    engine: Engine, frames: dict[str, Frame], prints: dict[str, Pixels]
) -> None:
    card = Card(face=110, ghost=0.6)
    portrait = prints["person_b_1"]
    ghost = engine.reference(photo_of(portrait, card))
    assert cosine(ghost, engine.probe(frames["person_b_2"])) >= POLICY.similarity
    assert refused(engine, photo_of(portrait, card, beside=prints["person_a_1"])) == "face_several"


def test_a_ghost_image_of_nearly_equal_size_is_refused(engine: Engine, prints: dict[str, Pixels]) -> None:
    with pytest.raises(FaceError, match="cut out the main one") as caught:
        engine.reference(photo_of(prints["person_b_1"], Card(face=110, ghost=0.85, contrast=0.8)))
    assert caught.value.code == "face_several"


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, 3), (2, 3)])
def test_a_second_person_who_lies_another_way_is_refused(
    engine: Engine, frames: dict[str, Frame], one: int, other: int
) -> None:
    sheet = np.full((500, 1000, 3), 90, np.uint8)
    for left, (name, quarters) in ((0, ("person_a_1", one)), (500, ("person_b_1", other))):
        square = cv2.resize(frames[name].pixels, (400, 400))
        sheet[50:450, left + 50 : left + 450] = np.rot90(square, -quarters)
    assert refused(engine, Frame(sheet)) == "face_several"


def test_a_portrait_of_forty_pixels_is_too_small_and_a_card_without_one_has_none(
    engine: Engine, prints: dict[str, Pixels]
) -> None:
    with pytest.raises(FaceError, match="24 are needed") as caught:
        engine.reference(photo_of(prints["person_b_1"], Card(face=40, turn=90)))
    assert caught.value.code == "face_too_small"
    bare = np.full_like(prints["person_b_1"], 200)
    assert refused(engine, photo_of(bare, Card(face=100, turn=90))) == "face_none"


def test_a_turned_photo_and_one_that_says_so_in_its_header_are_the_same(
    engine: Engine, prints: dict[str, Pixels]
) -> None:
    upright = photo_of(prints["person_b_1"], Card(face=100, ghost=0.4))
    stored = turned(upright, 3)
    told, untold = (engine.reference(decode_image(jpeg(stored, orientation=each))) for each in (6, None))
    assert cosine(told, engine.reference(upright)) > 0.98
    assert cosine(untold, engine.reference(upright)) > 0.9


def test_quality_is_of_the_portrait_as_it_was_turned(engine: Engine, portraits: dict[str, bytes]) -> None:
    frame = decode_image(portraits["person_b_1"])
    found = make_reference(turned(frame, 1), engine, quality_lines())
    assert found.warnings == make_reference(frame, engine, quality_lines()).warnings == ()
    judged = {each.component.name: each for each in judge_photo(jpeg(turned(frame, 2)), engine=engine)}
    assert judged["head_pose_roll"].status is QualityStatus.GOOD


def enlarged(frame: Frame, long_side: int, *, room: float = 0.0) -> Frame:
    """A photo of `long_side` pixels, with `room` around it as a share of what is there."""
    pad = round(room * max(frame.pixels.shape))
    padded = cv2.copyMakeBorder(frame.pixels, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    scale = long_side / max(padded.shape)
    return Frame(np.asarray(cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8))


@pytest.mark.parametrize("quarters", [0, 1])
def test_a_large_photo_is_compared_at_a_reduced_scale(engine: Engine, frames: dict[str, Frame], quarters: int) -> None:
    whole = enlarged(frames["person_a_1"], 1700)
    photo = jpeg(turned(whole, quarters) if quarters else whole)
    found = read_portrait(photo, detector=engine.detector, embed=engine.embed)
    assert found.frame.pixels.shape[:2] == tuple(-(-side // 2) for side in whole.pixels.shape[:2])
    assert cosine(engine.read_probe(photo), engine.probe(decode_image(photo))) > 0.99


def test_a_small_face_of_a_large_photo_is_compared_as_a_whole(engine: Engine, frames: dict[str, Frame]) -> None:
    photo = jpeg(enlarged(frames["person_a_1"], 1700, room=2.0))
    found = read_portrait(photo, detector=engine.detector, embed=engine.embed)
    assert found.frame.reduction == 1
    assert np.array_equal(engine.read_probe(photo).vector, engine.probe(decode_image(photo)).vector)


def test_a_large_photo_that_is_refused_is_refused_as_a_whole(engine: Engine, frames: dict[str, Frame]) -> None:
    photo = jpeg(enlarged(frames["person_a_1"], 1300, room=8.0))
    with pytest.raises(FaceError) as expected:
        engine.probe(decode_image(photo))
    with pytest.raises(FaceError) as caught:
        engine.read_probe(photo)
    assert str(caught.value) == str(expected.value)


@pytest.mark.parametrize(("other", "match"), [("person_a_2", True), ("impostor_1", False)])
def test_a_turned_card_is_compared(
    engine: Engine, portraits: dict[str, bytes], prints: dict[str, Pixels], other: str, match: bool
) -> None:
    card = jpeg(photo_of(prints["person_a_1"], Card(face=110, turn=180, ghost=0.45)))
    assert compare_photos(card, portraits[other], engine=engine, policy=POLICY).match == match
