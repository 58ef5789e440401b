from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from models import image as image_module
from models.errors import ImageError
from models.image import Frame, ImageLimits, decode_image, halved_to, scan_start


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """A picture whose corners differ, so that a turn shows."""
    down, across = np.mgrid[0:height, 0:width]
    pixels = np.stack([across * 255 // width, down * 255 // height, (across + down) % 256], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def coded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def refused(data: bytes, **limits: int) -> str:
    with pytest.raises(ImageError) as caught:
        decode_image(data, limits=ImageLimits(**limits))
    assert str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95})])
def test_each_format_gives_the_same_picture_as_bgr(form: str, options: dict[str, object]) -> None:
    pixels = decode_image(coded(gradient(), form, **options)).pixels
    expected = np.asarray(gradient())[..., ::-1].astype(int)
    assert np.abs(pixels - expected).mean() < (6 if form == "JPEG" else 0.01)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_honoured_as_exif_means_it(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = coded(gradient(), form, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")
    pixels = decode_image(data).pixels
    assert pixels.shape == (upright.height, upright.width, 3)
    assert np.abs(pixels.astype(int) - np.asarray(upright)[..., ::-1]).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("least", "reduction"), [(401, 1), (400, 2), (250, 2), (200, 4), (100, 8), (10, 8)])
def test_a_large_jpeg_is_decoded_as_small_as_is_enough(orientation: int, least: int, reduction: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = coded(gradient(801, 602), "JPEG", exif=exif, quality=95)
    whole, found = decode_image(data), decode_image(data, least=least)
    height, width = (-(-side // reduction) for side in whole.pixels.shape[:2])
    assert (whole.reduction, found.reduction) == (1, reduction)
    assert found.pixels.shape == (height, width, 3)
    expected = cv2.resize(whole.pixels, (width, height), interpolation=cv2.INTER_AREA).astype(int)
    red_and_green = np.abs(found.pixels - expected)[..., 1:]
    assert red_and_green.mean() < 2


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_what_cannot_be_decoded_smaller_comes_whole(form: str) -> None:
    found = decode_image(coded(gradient(800, 600), form), least=100)
    assert (found.reduction, found.pixels.shape) == (1, (600, 800, 3))


def test_a_jpeg_that_is_cut_off_is_refused_at_any_size() -> None:
    data = coded(gradient(800, 600), "JPEG")
    with pytest.raises(ImageError) as caught:
        decode_image(data[: len(data) // 2], least=100)
    assert caught.value.code == "image_truncated"


def test_orientation_that_only_xmp_states_is_honoured() -> None:
    xmp = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""
    assert decode_image(coded(gradient(64, 48), "JPEG", xmp=xmp)).pixels.shape == (64, 48, 3)


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (2 + len(payload)).to_bytes(2) + payload


@pytest.mark.parametrize(
    "before",
    [
        segment(0xE4, b"what looks like a picture's beginning: \xff\xda"),
        b"\xff\xff" + segment(0xFE, b"fill")[1:],
        b"\xff",
    ],
    ids=["in another segment", "fill bytes twice", "fill byte"],
)
def test_orientation_is_found_behind_other_segments(before: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = coded(gradient(64, 48), "JPEG", exif=exif)
    assert decode_image(data[:2] + before + data[2:]).pixels.shape == (64, 48, 3)


def test_segments_are_followed_to_where_the_picture_begins() -> None:
    data = coded(gradient(64, 48), "JPEG")
    assert scan_start(data) == data.index(b"\xff\xda")
    assert scan_start(data[:40]) == 0
    assert scan_start(b"\xff\xd8\xff\xe0\x00\x00" * 3) == 0


@pytest.mark.parametrize(
    "picture",
    [
        gradient().convert("L"),
        gradient().convert("P"),
        gradient().convert("RGBA"),
        gradient().convert("LA"),
        Image.fromarray((np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16)),
    ],
    ids=["grey", "palette", "transparent", "grey transparent", "16 bit"],
)
def test_unusual_pngs_become_plain_pictures(picture: Image.Image) -> None:
    assert decode_image(coded(picture, "PNG")).pixels.dtype == np.uint8


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_unusual_jpegs_become_plain_pictures(mode: str) -> None:
    assert decode_image(coded(gradient().convert(mode), "JPEG")).pixels.shape == (48, 64, 3)


@pytest.mark.parametrize(
    "data", [b"text, no picture", b"GIF89a" + b"\0" * 40, b"%PDF-1.7", b"\x00" * 100, b"\xff\xd8", b"BM" + b"\0" * 60]
)
def test_what_is_no_picture_is_unsupported(data: bytes) -> None:
    assert refused(data) == "image_unsupported"


def test_other_formats_are_unsupported() -> None:
    assert {refused(coded(gradient(), form)) for form in ("GIF", "BMP", "TIFF")} == {"image_unsupported"}


def test_no_bytes_are_empty() -> None:
    assert refused(b"") == "image_empty"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_cut_picture_is_truncated_and_never_half_grey(form: str, kept: float) -> None:
    data = coded(gradient(400, 300), form)
    assert refused(data[: int(len(data) * kept)]) in {"image_truncated", "image_unsupported"}


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_an_animation_is_refused_by_name(form: str) -> None:
    frames = [gradient(), ImageOps.mirror(gradient())]
    data = coded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    assert refused(data) == "image_animated"


def test_several_pictures_in_one_jpeg_are_refused_by_name() -> None:
    data = coded(gradient(), "MPO", save_all=True, append_images=[ImageOps.mirror(gradient())])
    assert refused(data) == "image_animated"


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_bomb_is_refused_by_its_header(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise AssertionError("the picture was decoded")

    for name in ("_decode_jpeg", "_decode_other"):
        monkeypatch.setattr(image_module, name, explode)
    bomb = Image.new("1" if form == "PNG" else "L", (10_000, 6_001))
    assert refused(coded(bomb, form)) == "image_too_many_pixels"


@given(width=st.integers(1, 80), height=st.integers(1, 80))
def test_the_limit_of_pixels_is_exact(width: int, height: int) -> None:
    data = coded(Image.new("RGB", (width, height)), "PNG")
    limits = ImageLimits(max_pixels=width * height, min_side=1)
    assert decode_image(data, limits=limits).pixels.shape == (height, width, 3)
    assert refused(data, max_pixels=width * height - 1, min_side=1) == "image_too_many_pixels"


@given(width=st.integers(1, 80), height=st.integers(1, 80))
def test_the_limits_of_a_jpeg_from_a_camera_are_exact(width: int, height: int) -> None:
    data = coded(Image.new("RGB", (width, height)), "JPEG")
    least = min(width, height)
    limits = ImageLimits(max_pixels=width * height, min_side=least)
    assert decode_image(data, limits=limits).pixels.shape == (height, width, 3)
    assert refused(data, max_pixels=width * height - 1, min_side=1) == "image_too_many_pixels"
    assert refused(data, min_side=least + 1) == "image_too_small"


def test_too_many_bytes_are_refused_before_the_header_is_read() -> None:
    assert refused(b"x" * 101, max_bytes=100) == "image_too_many_bytes"


def test_a_tiny_picture_is_too_small() -> None:
    assert refused(coded(gradient(31, 100), "PNG")) == "image_too_small"


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 "]),
)
def test_any_bytes_are_a_picture_or_a_clear_refusal(data: bytes, start: bytes) -> None:
    try:
        decode_image(start + data)
    except ImageError as error:
        assert error.code.startswith("image_")


@pytest.mark.parametrize("pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_a_frame_is_what_it_says(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        Frame(pixels)


def test_a_frame_cannot_be_written() -> None:
    frame = decode_image(coded(gradient(), "PNG"))
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 0


@pytest.mark.parametrize("damage", [lambda data: data[:200] + b"\0" * 200 + data[400:]])
def test_a_damaged_jpeg_is_refused_or_whole(damage: Callable[[bytes], bytes]) -> None:
    data = damage(coded(gradient(400, 300), "JPEG"))
    assert refused(data) in {"image_truncated", "image_unsupported"}


def test_a_frame_of_a_view_is_contiguous() -> None:
    turned = np.zeros((8, 6, 3), np.uint8)[::-1]
    assert Frame(turned).pixels.flags.c_contiguous
    assert cv2.cvtColor(Frame(turned).pixels, cv2.COLOR_BGR2GRAY).shape == (8, 6)


@given(st.integers(1, 900), st.integers(1, 900), st.floats(0.02, 3))
def test_a_picture_is_halved_until_little_is_left_to_scale(width: int, height: int, scale: float) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    found, rest = halved_to(picture, scale)
    halvings = round(float(np.log2(rest / scale)))
    assert rest == scale * 2**halvings
    assert found.shape[:2] == (height >> halvings, width >> halvings)
    assert rest > 0.5 or min(found.shape[:2]) == 1
    assert halvings == 0 or rest <= 1


def test_halves_are_means_of_whole_squares_and_a_picture_of_twice_the_size_is_resized_as_ever() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    quarter, rest = halved_to(picture, 0.25)
    squares = picture.reshape(16, 4, 12, 4, 3).astype(np.float64).mean(axis=(1, 3))
    assert rest == 1.0
    assert np.abs(quarter - squares).max() <= 1.0
    half, _ = halved_to(picture, 0.5)
    assert np.array_equal(half, cv2.resize(picture, (24, 32), interpolation=cv2.INTER_AREA))
    assert np.array_equal(half, halved_to(picture[:, :], 0.5)[0])
    odd, _ = halved_to(np.pad(picture, ((0, 1), (0, 1), (0, 0))), 0.5)
    assert np.array_equal(odd, half)
