"""The binary message of the capture protocol: a fixed header, then one JPEG."""

import struct
from dataclasses import dataclass

HEADER = struct.Struct("!8sII")
"""Network byte order: 8 bytes nonce, sequence number, the phone's clock in milliseconds."""

NO_NONCE = ""


class FrameError(ValueError):
    """A binary message that is no frame. `code`: `frame_too_large`, `frame_malformed`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFrame:
    """One frame as the phone sent it."""

    nonce: str
    """Nonce of the latest prompt that the phone had seen: 8 ASCII characters, or empty before the first prompt."""
    seq: int
    """0..2^32-1, counted up by the phone."""
    client_ms: int
    """The phone's own clock, 0..2^32-1 milliseconds. A claim of the client: recorded at most, never trusted."""
    jpeg: bytes


def parse_frame(message: bytes, *, max_bytes: int) -> CaptureFrame:
    """Split a binary message into header and picture. The picture itself is not looked at.

    Raises:
        FrameError: `frame_too_large` above `max_bytes`, `frame_malformed` if the header is cut or its nonce no ASCII.
    """
    if len(message) > max_bytes:
        raise FrameError(
            "frame_too_large", f"a frame may have {max_bytes} bytes; send a smaller or more compressed picture"
        )
    if len(message) <= HEADER.size:
        raise FrameError(
            "frame_malformed", f"a frame is a header of {HEADER.size} bytes and a JPEG; see docs/stream.md"
        )
    nonce, seq, client_ms = HEADER.unpack_from(message)
    return CaptureFrame(nonce=_nonce_text(nonce), seq=seq, client_ms=client_ms, jpeg=message[HEADER.size :])


def pack_frame(frame: CaptureFrame) -> bytes:
    """The message of a frame: what a phone sends."""
    return HEADER.pack(frame.nonce.encode("ascii"), frame.seq, frame.client_ms) + frame.jpeg


def _nonce_text(nonce: bytes) -> str:
    stripped = nonce.rstrip(b"\0")
    if not stripped.isascii() or b"\0" in stripped:
        raise FrameError(
            "frame_malformed", "the nonce of a frame is 8 ASCII characters, or 8 zero bytes before the first prompt"
        )
    return stripped.decode("ascii")
