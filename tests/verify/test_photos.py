"""Whether ID photos can be read whole, and what all of a request cost."""

from io import BytesIO

import pytest
from PIL import Image

from models.errors import ImageError
from models.image import DEFAULT_LIMITS
from verify.errors import Invalid
from verify.photos import MOST_PIXELS, Allowance


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), (90, 60, 30)).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_each_photo_costs_the_pixels_that_it_has(form: str) -> None:
    allowance = Allowance(pixels=3 * 64 * 48)
    allowance.check(picture(64, 48, form))
    assert allowance.pixels == 2 * 64 * 48
    allowance.check(picture(64, 48, form))
    allowance.check(picture(48, 64, form))
    assert allowance.pixels == 0
    with pytest.raises(Invalid, match=str(MOST_PIXELS)) as refused:
        allowance.check(picture(64, 48, form))
    assert refused.value.code == "photos_too_many_pixels"


def test_what_is_too_much_together_is_refused_before_it_is_decoded() -> None:
    whole = picture(640, 480, "JPEG")
    damaged = whole[: len(whole) // 2]
    with pytest.raises(ImageError) as refused:
        Allowance().check(damaged)
    assert refused.value.code == "image_truncated"
    with pytest.raises(Invalid) as too_many:
        Allowance(pixels=640 * 480 - 1).check(damaged)
    assert too_many.value.code == "photos_too_many_pixels"


def test_one_that_is_too_large_for_itself_is_told_so() -> None:
    buffer = BytesIO()
    Image.new("1", (DEFAULT_LIMITS.max_pixels // 5000 + 1, 5000)).save(buffer, "PNG")
    with pytest.raises(ImageError) as refused:
        Allowance().check(buffer.getvalue())
    assert refused.value.code == "image_too_many_pixels"


def test_ten_of_the_largest_photos_are_taken() -> None:
    assert 10 * DEFAULT_LIMITS.max_pixels == MOST_PIXELS
