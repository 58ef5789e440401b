import numpy as np
import pytest
from numpy.typing import NDArray

from models.detection import Face
from models.illumination import linear_light, measure_illumination
from models.image import Frame


def face(eyes: float = 80.0, *, x: float = 240.0, y: float = 300.0) -> Face:
    landmarks = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.6], [-0.4, 1.1], [0.4, 1.1]], np.float32) * np.float32(
        eyes
    ) + np.array([x, y], np.float32)
    return Face(np.array([x - eyes, y - eyes, 2 * eyes, 3 * eyes], np.float32), landmarks, 0.9)


def frame(skin: int, wall: int, features: int = 40, eyes: float = 80.0) -> Frame:
    pixels = np.full((640, 480, 3), wall, np.uint8)
    down, across = np.mgrid[0:640, 0:480]
    head = ((across - 240) / (1.4 * eyes)) ** 2 + ((down - 340) / (2 * eyes)) ** 2 <= 1
    pixels[head] = skin
    dark = (abs(down - 300) < 0.25 * eyes) & (abs(across - 240) < 0.9 * eyes)
    pixels[dark] = features
    return Frame(pixels)


def coded(light: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.interp(light, linear_light(np.arange(256) / 255), np.arange(256))


def test_skin_features_and_background_are_told_apart() -> None:
    found = measure_illumination(frame(skin=170, wall=90), face())
    assert found is not None
    assert coded(found.skin) == pytest.approx(170, abs=6)
    assert coded(found.features) == pytest.approx(40, abs=12)
    assert coded(found.background) == pytest.approx(90, abs=2)


def test_twice_the_light_is_twice_the_measure() -> None:
    one, two = (measure_illumination(frame(skin, 60), face()) for skin in (100, 136))
    assert one is not None
    assert two is not None
    assert two.skin[0] / one.skin[0] == pytest.approx(2.0, abs=0.12)


@pytest.mark.parametrize(("wall", "eyes"), [(255, 80.0), (0, 80.0), (90, 190.0)])
def test_nothing_is_measured_without_a_background(wall: int, eyes: float) -> None:
    assert measure_illumination(frame(170, wall, eyes=eyes), face(eyes)) is None


def test_srgb_is_linearised_by_its_standard() -> None:
    assert linear_light(np.array([0.0, 0.04045, 0.5, 1.0])) == pytest.approx([0, 0.0031308, 0.2140411, 1], abs=1e-6)
