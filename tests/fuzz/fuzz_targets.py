"""What strangers send, as functions of bytes: each ends, or raises what its docstring says; anything else is a finding.

`make fuzz` drives them with coverage (atheris) for ten minutes of processor time each; tests run them on seeds, on
findings that were mended, and on a bounded number of arbitrary inputs.
"""

import asyncio
import io
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from api.frames import FrameError, pack_frame, parse_frame
from api.messages import StreamError, parse_message
from api.outbound import Outbound
from models.errors import ImageError
from models.image import ImageLimits, decode_image
from verify.archive import check_archive
from verify.errors import VerifyError
from verify.jose import SigningKey, new_signing_key, sign
from verify.receipts import check_receipt
from verify.tokens import TOKEN_KIND

LIMITS = ImageLimits(max_bytes=100_000, max_pixels=100_000)
"""Small, so that many pictures are tried; a bomb stays one."""
FRAME_BYTES = 50_000
PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes any bytes; `seeds` are good ones to begin from."""

    run: Callable[[bytes], None]
    seeds: Callable[[], tuple[bytes, ...]]


def image(data: bytes) -> None:
    """A photo of a request, or a frame's picture: a frame within the limits, or ImageError."""
    try:
        frame = decode_image(data, limits=LIMITS)
    except ImageError:
        return
    height, width, channels = frame.pixels.shape
    assert height * width <= LIMITS.max_pixels
    assert min(height, width) >= LIMITS.min_side
    assert channels == 3
    assert frame.pixels.dtype == np.uint8


def stream(data: bytes) -> None:
    """A message over the WebSocket, binary or text: what it says, or FrameError, or StreamError."""
    try:
        frame = parse_frame(data, max_bytes=FRAME_BYTES)
    except FrameError:
        pass
    else:
        assert pack_frame(frame) == data
        assert len(frame.nonce) <= 8
    with suppress(StreamError):
        parse_message(data.decode("utf-8", errors="replace"))


def token(data: bytes) -> None:
    """What somebody presents as a token, a receipt, or an archive of a case: refused by a VerifyError.

    Nothing but what the key signed is taken.
    """
    text, known = data.decode("latin-1"), _key().verifying("test")
    try:
        check_receipt(text, expected_keys=(known,), allow_test=True)
    except VerifyError:
        pass
    else:
        raise AssertionError("a receipt was taken that nobody signed")
    try:
        check_archive(data, expected_keys=(known,), allow_test=True)
    except (VerifyError, ValueError):
        pass
    else:
        raise AssertionError("an archive was taken that nobody signed")


def webhook(data: bytes) -> None:
    """An address that a client names for its webhooks: refused, or one that leads where notices may go."""
    url, (outbound, asked) = data.decode("utf-8", errors="replace"), _sender()
    asked.clear()
    try:
        taken = asyncio.run(outbound.check(url))
    except VerifyError:
        return
    assert taken == url
    assert url.lower().startswith("https://")
    assert len(asked) == 1
    assert "private" not in asked[0]


def _images() -> tuple[bytes, ...]:
    picture = np.tile(np.arange(48, dtype=np.uint8)[:, None, None] * 5, (1, 40, 3))
    coded = [cv2.imencode(suffix, picture)[1].tobytes() for suffix in (".jpg", ".png", ".webp")]
    return (*coded, coded[0][:200], coded[1][:60], b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00" + coded[0][2:])


def _messages() -> tuple[bytes, ...]:
    return (
        b"ABCDEFGH\x00\x00\x00\x01\x00\x00\x00\x02\xff\xd8",
        bytes(8) + b"\x00\x00\x00\x01\x00\x00\x00\x02\xff",
        b'{"type": "claim", "secret": "abc"}',
        b'{"type": "resume", "secret": "abc"}',
        b'{"type": "abort"}',
        b'{"type": ["claim"], "secret": {"a": [1, 1e999, "\\ud800"]}}',
    )


def _tokens() -> tuple[bytes, ...]:
    signed = sign({"jti": "x", "sub": "y"}, key=_key(), kind=TOKEN_KIND).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.jws", signed)
    return signed, signed[:-4], b"e30.e30.AA", packed.getvalue()


def _addresses() -> tuple[bytes, ...]:
    return (
        b"https://receiver.example/heyan",
        b"https://receiver.example:8443/a?b=c",
        b"http://127.0.0.1/",
        b"https://user:pass@private.example/#x",
        b"https://[::1]/",
        "https://例え.テスト/".encode(),
    )


@cache
def _sender() -> tuple[Outbound, list[str]]:
    """What checks addresses, and the hosts that it asked for. Made once: a context for TLS takes long."""
    asked = list[str]()

    async def resolve(host: str, _port: int) -> tuple[str, ...]:
        asked.append(host)
        return (PRIVATE,) if "private" in host else (PUBLIC,)

    return Outbound(resolve=resolve), asked


@cache
def _key() -> SigningKey:
    return new_signing_key()


TARGETS: Mapping[str, Target] = {
    "image": Target(image, _images),
    "stream": Target(stream, _messages),
    "token": Target(token, _tokens),
    "webhook": Target(webhook, _addresses),
}
