"""Photos that are none, or not what is needed: each refused by name, and nothing is kept."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from running_service import RunningApi, registrant


def huge_png() -> bytes:
    """60 megapixels of one bit: some kilobytes to send, 180 MB if anybody decoded it."""
    buffer = BytesIO()
    Image.new("1", (10_000, 6_001)).save(buffer, "PNG")
    return buffer.getvalue()


def animated_webp() -> bytes:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    return buffer.getvalue()


def scaled(photo: bytes, side: int) -> bytes:
    """The portrait made small, in the middle of a grey sheet."""
    small = Image.open(BytesIO(photo)).convert("RGB")
    small.thumbnail((side, side))
    sheet = Image.new("RGB", (400, 400), (120, 120, 120))
    sheet.paste(small, (180, 180))
    buffer = BytesIO()
    sheet.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def side_by_side(one: bytes, other: bytes) -> bytes:
    pictures = [Image.open(BytesIO(photo)).convert("RGB").resize((300, 360)) for photo in (one, other)]
    sheet = Image.new("RGB", (600, 360))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (300 * place, 0))
    buffer = BytesIO()
    sheet.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def no_photo(kind: str, portrait: bytes) -> bytes:
    return {
        "empty": b"",
        "text": b"I am a text file, not a photo.\n" * 20,
        "truncated": portrait[: len(portrait) // 2],
        "huge": huge_png(),
        "animated": animated_webp(),
    }[kind]


REFUSED = {
    "empty": "image_empty",
    "text": "image_unsupported",
    "truncated": "image_truncated",
    "huge": "image_too_many_pixels",
    "animated": "image_animated",
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_case_takes_pictures_only(api: RunningApi, portraits: dict[str, bytes], kind: str) -> None:
    person = registrant(no_photo(kind, portraits["person_a_1"]))
    body: dict[str, Any] = {
        "action": "capital.increase",
        "document_sha256": "0" * 64,
        "subjects": [
            {
                "name": person.name,
                "role": person.role,
                "id_document": {"type": "passport", "number": person.id_number},
                "reference": {"photo": b64encode(person.photo).decode(), "provenance": "authority"},
            }
        ],
    }
    answer = await api.http.post("/v1/cases", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, REFUSED[kind])


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_comparison_takes_pictures_only(api: RunningApi, portraits: dict[str, bytes], kind: str) -> None:
    await compared(api, no_photo(kind, portraits["person_a_1"]), portraits["person_a_2"], code=REFUSED[kind])


async def test_a_picture_without_a_face_is_refused(api: RunningApi, portraits: dict[str, bytes]) -> None:
    blank = BytesIO()
    Image.new("RGB", (300, 400), (90, 120, 150)).save(blank, "JPEG")
    await compared(api, portraits["person_a_1"], blank.getvalue(), code="face_none")


async def test_a_picture_with_two_faces_is_refused(api: RunningApi, portraits: dict[str, bytes]) -> None:
    both = side_by_side(portraits["person_a_1"], portraits["person_b_1"])
    await compared(api, both, portraits["person_a_2"], code="face_several")


async def test_a_face_of_twenty_pixels_is_refused(api: RunningApi, portraits: dict[str, bytes]) -> None:
    await compared(api, scaled(portraits["person_a_1"], 40), portraits["person_a_2"], code="face_too_small")


async def compared(api: RunningApi, one: bytes, other: bytes, *, code: str) -> None:
    body = {"photo_a": b64encode(one).decode(), "photo_b": b64encode(other).decode()}
    answer = await api.http.post("/v1/compare", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "request_malformed"),
        (b"[]", 422, "request_invalid"),
        (b'{"photo_a": "***", "photo_b": ""}', 422, "request_invalid"),
        (b'{"photo_a": 7, "photo_b": ""}', 422, "request_invalid"),
        (b"", 422, "request_invalid"),
    ],
)
async def test_a_body_that_is_none_is_refused(api: RunningApi, content: bytes, status: int, code: str) -> None:
    answer = await api.http.post("/v1/compare", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_what_was_sent_is_never_quoted_back(api: RunningApi) -> None:
    answer = await api.http.post("/v1/compare", json={"photo_a": "SECRET###", "photo_b": "", "name": "张三"})
    assert "SECRET" not in answer.text
    assert "张三" not in answer.text
