import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.fingerprint import BYTES, distances, distinct, fingerprint, fingerprints, near
from models.image import decode_image

Picture = NDArray[np.uint8]

NEAR = 14
"""What changes in a frame that comes again: see `models.fingerprint`."""


@pytest.fixture(scope="module")
def luma(portraits: dict[str, bytes]) -> Picture:
    return decode_image(portraits["person_a_1"]).luma()


def apart(one: Picture, other: Picture) -> int:
    return int(distances(fingerprints(fingerprint(one)), fingerprints(fingerprint(other)))[0, 0])


def compressed(luma: Picture) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE)


def smaller(luma: Picture) -> Picture:
    return cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def brighter(luma: Picture) -> Picture:
    return np.clip(luma * 1.1, 0, 255).astype(np.uint8)


def noisy(luma: Picture) -> Picture:
    noise = np.random.default_rng(1).normal(0, 3, luma.shape)
    return np.clip(luma + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [compressed, smaller, brighter, noisy])
def test_a_frame_that_comes_again_is_known(luma: Picture, change: object) -> None:
    assert apart(luma, change(luma)) <= NEAR


def test_a_motion_and_another_person_are_other_pictures(luma: Picture, portraits: dict[str, bytes]) -> None:
    assert apart(luma, np.roll(luma, luma.shape[1] // 10, axis=1)) > NEAR
    assert apart(luma, decode_image(portraits["person_b_1"]).luma()) > NEAR


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (97, 131), (64, 64)])
def test_it_is_the_cosine_transform_of_the_picture_at_64_pixels(luma: Picture, size: tuple[int, int]) -> None:
    sized = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    low = cv2.dct(cv2.resize(sized.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA))[1:17, 1:17]
    bits = np.unpackbits(np.frombuffer(fingerprint(sized), np.uint8))
    assert int((bits != (low > np.median(low)).reshape(-1)).sum()) <= 2, "but for rounding"


def test_it_has_32_bytes_and_its_bits_are_balanced(luma: Picture) -> None:
    content = fingerprint(luma)
    assert len(content) == BYTES
    assert np.unpackbits(np.frombuffer(content, np.uint8)).sum() == 128


def test_distances_count_bits() -> None:
    ones, others = fingerprints(bytes(BYTES)), fingerprints(bytes(BYTES) + b"\x07" + bytes(BYTES - 1))
    assert distances(ones, others).tolist() == [[0, 3]]


def test_what_stands_still_is_one_picture() -> None:
    still, moved = bytes(BYTES), b"\xff" * 3 + bytes(BYTES - 3)
    assert len(distinct(fingerprints(still * 5 + moved * 2 + still), apart=24)) == 3
    assert len(distinct(fingerprints(still * 5 + moved * 2 + still), apart=25)) == 1
    assert len(distinct(fingerprints(b""), apart=24)) == 0


def test_half_a_fingerprint_is_none() -> None:
    with pytest.raises(ValueError, match="reshape"):
        fingerprints(bytes(BYTES - 8))


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(0, 40), flipped=st.integers(0, 40), ones=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_what_is_near_is_never_passed_over(seed: int, bits: int, flipped: int, ones: int) -> None:
    rng = np.random.default_rng(seed)
    own = fingerprints(rng.bytes(ones * BYTES))
    others = np.concatenate([own, fingerprints(rng.bytes(20 * BYTES))])
    wrong = np.unpackbits(others.view(np.uint8), axis=1)
    for row in wrong:
        row[rng.choice(row.size, flipped, replace=False)] ^= 1
    others = fingerprints(np.packbits(wrong, axis=1).tobytes())
    places, close = near(own, others, bits=bits)
    expected = distances(own, others) <= bits
    assert np.array_equal(close, expected[:, places])
    assert not expected[:, np.setdiff1d(np.arange(len(others)), places)].any()


def test_hardly_any_other_picture_is_looked_at_closely() -> None:
    rng = np.random.default_rng(5)
    own, others = fingerprints(rng.bytes(160 * BYTES)), fingerprints(rng.bytes(4000 * BYTES))
    places, _ = near(own, others, bits=12)
    assert len(places) < 0.01 * len(others)
