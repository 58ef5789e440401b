"""Quality components fall when what they are named after gets worse, and can be measured on whatever is a face."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detection import Face
from models.engine import Engine
from models.face_quality.assessment import MEASURES, OF_THE_FACE, Component, assess_quality, unified_minimum
from models.face_quality.upright import PLACES, SIDE, luminance, set_upright
from models.image import Frame, decode_image

Pixels = NDArray[np.uint8]
Spoil = Callable[[Pixels, Face], Pixels]

DARK, PAPER, CLOTH = (18, 15, 15), (240, 240, 240), (200, 140, 90)


@pytest.fixture(scope="module")
def portrait(portraits: dict[str, bytes]) -> Frame:
    return decode_image(portraits["person_b_1"])


@pytest.fixture(scope="module")
def face(portrait: Frame, engine: Engine) -> Face:
    return engine.single_face(portrait)


def assessed(frame: Frame, face: Face) -> Mapping[str, Component]:
    return {each.name: each for each in assess_quality(frame, face)}


def score(component: Component) -> float:
    assert component.score is not None
    return component.score


def blurred(pixels: Pixels, _: Face) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 4), np.uint8)


def compressed(pixels: Pixels, _: Face) -> Pixels:
    coded = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=30, colorspace="BGR")
    return np.asarray(simplejpeg.decode_jpeg(coded, colorspace="BGR"), np.uint8)


def darkened(pixels: Pixels, _: Face) -> Pixels:
    return np.asarray(pixels * 0.15, np.uint8)


def burnt(pixels: Pixels, _: Face) -> Pixels:
    return np.asarray(np.clip(pixels * 2.5, 0, 255), np.uint8)


def lit_from_the_side(pixels: Pixels, face: Face) -> Pixels:
    spoilt = pixels.copy()
    spoilt[:, int(face.landmarks[2, 0]) :] = spoilt[:, int(face.landmarks[2, 0]) :] // 3
    return spoilt


def flattened(pixels: Pixels, _: Face) -> Pixels:
    return np.asarray(pixels * 0.06 + 120, np.uint8)


def under_blue_light(pixels: Pixels, _: Face) -> Pixels:
    return np.asarray(pixels * np.array([1.0, 0.6, 0.3]), np.uint8)


def before_stripes(pixels: Pixels, face: Face) -> Pixels:
    x, y, width, height = face.box
    striped = pixels.copy()
    striped[:, (np.arange(pixels.shape[1]) // 12) % 2 == 0] = 0
    rows, columns = slice(max(0, int(y - height / 2)), None), slice(max(0, int(x - width / 2)), int(x + 1.5 * width))
    striped[rows, columns] = pixels[rows, columns]
    return striped


def in_sunglasses(pixels: Pixels, face: Face) -> Pixels:
    spoilt, eyes = pixels.copy(), face.eye_distance
    for x, y in face.landmarks[:2]:
        cv2.ellipse(spoilt, (int(x), int(y)), (int(0.42 * eyes), int(0.3 * eyes)), 0, 0, 360, DARK, -1)
    return spoilt


def in_a_mask(colour: tuple[int, int, int]) -> Spoil:
    def spoil(pixels: Pixels, face: Face) -> Pixels:
        spoilt, (x, y, width, height) = pixels.copy(), face.box
        top = face.landmarks[2, 1] - 0.1 * face.eye_distance
        below = [[0.85, 0.9], [0.5, 1.0], [0.15, 0.9]]
        corners = [[x, top], [x + width, top], *([x + a * width, y + b * height] for a, b in below)]
        cv2.fillPoly(spoilt, [np.array(corners, np.int32)], colour)
        return spoilt

    return spoil


@dataclass(frozen=True)
class Spoilt:
    """A component must have at least `good` on the portrait and at most `bad` on what `spoil` makes of it."""

    name: str
    spoil: Spoil
    good: float
    bad: float


@pytest.mark.parametrize(
    "case",
    [
        Spoilt("sharpness", blurred, 90, 40),
        Spoilt("compression_artifacts", compressed, 90, 20),
        Spoilt("luminance_mean", darkened, 80, 10),
        Spoilt("under_exposure_prevention", darkened, 95, 20),
        Spoilt("over_exposure_prevention", burnt, 90, 10),
        Spoilt("illumination_uniformity", lit_from_the_side, 60, 40),
        Spoilt("dynamic_range", flattened, 80, 50),
        Spoilt("luminance_variance", flattened, 80, 20),
        Spoilt("natural_colour", under_blue_light, 95, 5),
        Spoilt("background_uniformity", before_stripes, 50, 25),
        Spoilt("eyes_visible", in_sunglasses, 80, 5),
        Spoilt("mouth_occlusion_prevention", in_a_mask(PAPER), 60, 2),
        Spoilt("mouth_occlusion_prevention", in_a_mask(CLOTH), 60, 2),
        Spoilt("mouth_occlusion_prevention", in_a_mask(DARK), 60, 2),
    ],
    ids=lambda case: case.name,
)
def test_what_a_component_is_named_after_lowers_it(case: Spoilt, portrait: Frame, face: Face) -> None:
    spoilt = Frame(case.spoil(portrait.pixels, face))
    assert score(assessed(portrait, face)[case.name]) >= case.good
    assert score(assessed(spoilt, face)[case.name]) <= case.bad


@pytest.mark.parametrize("name", ["sharpness", "inter_eye_distance"])
def test_a_smaller_photo_is_worse_step_by_step(name: str, portrait: Frame, engine: Engine) -> None:
    found = []
    for scale in (1.0, 0.6, 0.35, 0.2):
        small = Frame(cv2.resize(portrait.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        found.append(score(assessed(small, engine.detect(small)[0])[name]))
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 30


def test_a_turned_and_a_tilted_head_lower_their_own_angle(portrait: Frame, face: Face) -> None:
    turn = cv2.getRotationMatrix2D((0.0, 0.0), 25, 1.0)[:, :2].astype(np.float32)
    middle = face.landmarks.mean(axis=0)
    tilted = assessed(portrait, Face(face.box.copy(), (face.landmarks - middle) @ turn.T + middle, face.score))
    assert score(tilted["head_pose_roll"]) < 90 < score(tilted["head_pose_yaw"])
    points = face.landmarks.copy()
    points[2, 0] += 0.3 * face.eye_distance
    turned = assessed(portrait, Face(face.box.copy(), points, face.score))
    assert score(turned["head_pose_yaw"]) < 90 < score(turned["head_pose_roll"])


def test_a_photo_cut_close_to_the_face_is_framed_worse(portrait: Frame, face: Face) -> None:
    x, y, width, height = (int(value) for value in face.box)
    close = Frame(portrait.pixels[max(0, y) : y + height, max(0, x) : x + width])
    moved = face.landmarks - np.array([max(0, x), max(0, y)], np.float32)
    inside = Face(np.array([0, 0, width, height], np.float32), moved, face.score)
    before, after = assessed(portrait, face), assessed(close, inside)
    assert score(after["crop_of_the_face_image"]) < score(before["crop_of_the_face_image"]) - 20
    assert after["background_uniformity"].score is None


def test_a_photo_without_colour_has_no_unnatural_one_and_no_mouth_to_judge(portrait: Frame, face: Face) -> None:
    grey = Frame(cv2.cvtColor(portrait.luma(), cv2.COLOR_GRAY2BGR))
    found = assessed(grey, face)
    assert found["natural_colour"].score == 100
    assert found["mouth_occlusion_prevention"].raw is None
    assert found["mouth_occlusion_prevention"].score is None


def test_the_unified_minimum_is_the_worst_of_the_face_alone(portrait: Frame, face: Face) -> None:
    components = assess_quality(portrait, face)
    of_the_face = [each.score for each in components if each.name in OF_THE_FACE and each.score is not None]
    assert unified_minimum(components) == min(of_the_face)
    assert min(each.score for each in components if each.score is not None) < min(of_the_face)
    assert unified_minimum(()) is None


def test_the_landmarks_come_to_their_places(portrait: Frame, face: Face) -> None:
    upright = set_upright(portrait, face)
    assert np.abs(upright.landmarks - PLACES).max() < 15
    x, y = upright.landmarks[2].astype(int)
    u, v = face.landmarks[2].astype(int)
    assert np.abs(upright.pixels[y, x].astype(int) - portrait.pixels[v, u]).max() < 40


def test_a_large_photo_is_set_upright_like_its_small_copy(portrait: Frame, face: Face) -> None:
    large = Frame(cv2.resize(portrait.pixels, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    scaled = Face(4 * face.box + 0, (4 * face.landmarks + 1.5).astype(np.float32), face.score)
    one, other = set_upright(portrait, face), set_upright(large, scaled)
    assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 2.5


def test_luminance_is_linear_light() -> None:
    patch = np.array([[[0, 0, 0], [255, 255, 255], [188, 188, 188], [0, 0, 255]]], np.uint8)
    assert luminance(patch).tolist() == [[0, 255, 128, 54]]


@st.composite
def anywhere(draw: st.DrawFn) -> Face:
    """A face of any size and shape, inside a picture of 90 x 120 or beside it."""
    x, y, side = draw(st.floats(-80, 200)), draw(st.floats(-80, 200)), draw(st.floats(0.5, 300))
    spread = np.reshape(draw(st.lists(st.floats(-1, 1), min_size=10, max_size=10)), (5, 2))
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    landmarks = ((points + 0.12 * spread) * side + [x, y]).astype(np.float32)
    return Face(np.array([x, y, side, side], np.float32), landmarks, 0.9)


@given(face=anywhere(), grey=st.sampled_from([0, 90, 255]), noisy=st.booleans())
def test_whatever_is_called_a_face_can_be_assessed(face: Face, grey: int, noisy: bool) -> None:
    pixels = np.full((120, 90, 3), grey, np.uint8)
    if noisy:
        pixels[::2, ::3] = (10, 120, 240)
    found = assess_quality(Frame(pixels), face)
    assert [each.name for each in found] == list(MEASURES)
    for each in found:
        assert (each.raw is None) == (each.score is None)
        assert each.raw is None or np.isfinite(each.raw)
        assert each.score is None or 0 <= each.score <= 100
    assert set_upright(Frame(pixels), face).pixels.shape == (SIDE, SIDE, 3)
