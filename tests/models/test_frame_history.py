import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.frame_history import FrameHistory, Novelty
from models.image import Frame, decode_image

RNG = np.random.default_rng(0)


def scene(shift: int) -> NDArray[np.uint8]:
    """A picture with structure, moved across by some pixels."""
    base = cv2.resize(np.random.default_rng(5).integers(0, 255, (20, 15, 3)).astype(np.uint8), (560, 640))
    return np.asarray(base[:, shift : shift + 480], np.uint8)


def shot(picture: NDArray[np.uint8], *, noise: float = 3.0, quality: int = 80) -> Frame:
    noisy = np.clip(picture + noise * RNG.standard_normal(picture.shape), 0, 255).astype(np.uint8)
    return decode_image(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def last(frames: list[Frame]) -> Novelty:
    history = FrameHistory()
    return [history.add(frame.luma(), at=0.2 * place) for place, frame in enumerate(frames)][-1]


def test_a_moving_scene_is_new() -> None:
    found = last([shot(scene(4 * place)) for place in range(10)])
    assert found.step is not None
    assert found.step > 1.5
    assert found.echo is not None
    assert found.echo > 1.5
    assert found.between is not None
    assert found.between > 0.35


@pytest.mark.parametrize("quality", [70, 95])
def test_a_frame_that_comes_again_in_another_code_is_known(quality: int) -> None:
    moving = [scene(4 * place) for place in range(10)]
    again = decode_image(cv2.imencode(".jpg", moving[1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
    frames = [decode_image(cv2.imencode(".jpg", each)[1].tobytes()) for each in moving]
    echo = last([*frames, again]).echo
    assert echo is not None
    assert echo < 0.35


def test_a_frame_made_of_its_neighbours_is_known() -> None:
    before, after = shot(scene(0), noise=0), shot(scene(12), noise=0)
    middle = np.asarray((before.pixels.astype(np.float32) + after.pixels) / 2, np.uint8)
    between = last([before, shot(middle, noise=0, quality=95), after]).between
    assert between is not None
    assert between < 0.35


def test_a_still_scene_differs_by_its_noise_alone() -> None:
    noisy = last([shot(scene(0)) for _ in range(3)])
    clean = last([shot(scene(0), noise=0.0) for _ in range(3)])
    assert noisy.noise is not None
    assert noisy.noise > 0
    assert clean.noise == 0.0


def test_the_first_frame_has_nothing_to_compare_with() -> None:
    assert last([shot(scene(0))]) == Novelty(step=None, echo=None, noise=None, between=None)
