"""Bytes → Frame. The header is read first: what is too large, animated or no picture is refused undecoded."""

import io
import warnings
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP")
EXIF_ORIENTATION = 0x0112
UPRIGHT = 1
REDUCTIONS = (8, 4, 2)
"""How many times smaller a JPEG can be decoded without a resize, and fast (libjpeg-turbo's scaled transforms)."""
JPEG_START = b"\xff\xd8\xff"
START_OF_SCAN = 0xDA
REFUSED = (ValueError, KeyError)
"""What simplejpeg raises for bytes that it cannot read; KeyError for a subsampling that nobody has named."""
NOT_PLAIN = (b"Exif\0\0", b"tiff:Orientation", b"MPF\0")
"""What a JPEG holds that may state an orientation (EXIF 2.32, XMP) or is several pictures (CIPA DC-007)."""

_TURNS = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
}
"""EXIF 2.32, tag Orientation: what turns the stored picture upright."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. `pixels`: uint8 (H, W, 3), BGR, upright, contiguous, read-only."""

    pixels: NDArray[np.uint8]
    reduction: int = 1
    """How many times smaller each side is than that of the picture it was decoded from: 1, 2, 4 or 8."""

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:  # noqa: PLR2004
            raise ValueError(f"a frame is uint8 (H, W, 3), not {self.pixels.dtype} {self.pixels.shape}")
        contiguous = np.ascontiguousarray(self.pixels).view()
        contiguous.flags.writeable = False
        object.__setattr__(self, "pixels", contiguous)

    def luma(self) -> NDArray[np.uint8]:
        """Luma (BT.601), uint8 (H, W); made anew each time."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY), np.uint8)


@dataclass(frozen=True, slots=True)
class Luma:
    """A frame's luma (BT.601), for all that looks at it. `whole`: uint8 (H, W); `half`: (H // 2, W // 2)."""

    whole: NDArray[np.uint8]
    half: NDArray[np.uint8]

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Each pixel of `half` is the mean of four."""
        whole = frame.luma()
        height, width = whole.shape
        half = cv2.resize(whole, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return cls(whole, np.asarray(half, np.uint8))


def halved_to(pixels: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.uint8], float]:
    """Halve a picture (H, W, C) until it is at most twice as large as at `scale`, and say what is left to scale.

    Each pixel is the mean of four, which is an eighth of the work of one resize by any other factor; an odd last row or
    column is left out.
    """
    while scale <= 0.5 and min(pixels.shape[:2]) > 1:  # noqa: PLR2004
        height, width = (side // 2 for side in pixels.shape[:2])
        even = pixels[: 2 * height, : 2 * width]
        pixels, scale = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8), 2 * scale
    return pixels, scale


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """What is accepted at all."""

    max_bytes: int = 8 * 1024 * 1024
    max_pixels: int = 40_000_000
    """Below 60 megapixels; phones' main cameras of 48 and more deliver 12 in their ordinary mode."""
    min_side: int = 32
    """Pixels of the shorter side."""


DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class _Header:
    format: str
    orientation: int
    width: int
    """Pixels, before it is turned upright; `height` too."""
    height: int

    @property
    def longer(self) -> int:
        return max(self.width, self.height)


def decode_image(data: bytes, *, limits: ImageLimits = DEFAULT_LIMITS, least: int | None = None) -> Frame:
    """Decode a JPEG, PNG or WebP; EXIF orientation is honoured, colour profiles and transparency are ignored.

    `least`: pixels of the longer side that are enough. A JPEG that has twice as many is decoded at a half, a quarter or
    an eighth of its size (`Frame.reduction`): libjpeg-turbo transforms fewer frequencies of each block back, which
    averages as well as a resize of the whole does, and spares the pixels that it would throw away.

    Raises:
        ImageError: `image_empty`, `image_too_many_bytes`, `image_unsupported`, `image_animated`,
            `image_too_many_pixels`, `image_too_small`, `image_truncated`.
    """
    if not data:
        raise ImageError("image_empty", "the picture has no bytes; send a JPEG, PNG or WebP")
    if len(data) > limits.max_bytes:
        raise ImageError(
            "image_too_many_bytes", f"the picture has {len(data)} bytes, at most {limits.max_bytes} are taken"
        )
    header = _read_header(data, limits)
    pixels = _decode_jpeg(data, *_enough(header, least)) if header.format == "JPEG" else _decode_other(data)
    reduction = round(header.longer / max(pixels.shape))
    return Frame(_TURNS[header.orientation](pixels) if header.orientation in _TURNS else pixels, reduction)


def _enough(header: _Header, least: int | None) -> tuple[int, int]:
    """Height and width to decode to; 0, 0 for all there is."""
    reduction = next((each for each in REDUCTIONS if least is not None and header.longer >= each * least), 1)
    return (-(-header.height // reduction), -(-header.width // reduction)) if reduction > 1 else (0, 0)


def _read_header(data: bytes, limits: ImageLimits) -> _Header:
    header = _plain_jpeg_header(data) or _any_header(data)
    _check_size(header, limits)
    return header


def _plain_jpeg_header(data: bytes) -> _Header | None:
    """Of a JPEG that says nothing of its orientation, and is one picture, as a camera's stream is: in a hundredth of
    the other way's time. None of all others, and of those that cannot be read."""
    if not data.startswith(JPEG_START):
        return None
    segments = data[: scan_start(data)]
    if not segments or any(marker in segments for marker in NOT_PLAIN):
        return None
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except REFUSED:
        return None
    return _Header("JPEG", UPRIGHT, width, height)


def scan_start(data: bytes) -> int:
    """Where a JPEG's segments end and its picture begins (ITU-T T.81, B.1.1.4); 0 if they cannot be followed."""
    place = 2
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data):
        if data[place + 1] == START_OF_SCAN:
            return place
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return 0


def _any_header(data: bytes) -> _Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs; the limit refuses them
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            orientation = int(picture.getexif().get(EXIF_ORIENTATION, UPRIGHT) or UPRIGHT)
    except UnidentifiedImageError:
        raise ImageError("image_unsupported", "these bytes are no JPEG, PNG or WebP picture") from None
    except Exception as error:
        raise ImageError("image_unsupported", f"the picture's header cannot be read ({type(error).__name__})") from None
    if getattr(picture, "is_animated", False):
        raise ImageError("image_animated", "the picture is animated; send a single picture")
    return _Header(str(picture.format), orientation, *picture.size)


def _check_size(header: _Header, limits: ImageLimits) -> None:
    size = f"the picture has {header.width} x {header.height} pixels"
    if header.width * header.height > limits.max_pixels:
        message = f"{size}, at most {limits.max_pixels} are taken; send a smaller one"
        raise ImageError("image_too_many_pixels", message)
    if min(header.width, header.height) < limits.min_side:
        raise ImageError("image_too_small", f"{size}, each side needs {limits.min_side}; send a larger one")


def _decode_jpeg(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """libjpeg-turbo in strict mode: a cut or damaged stream is an error, not a grey half."""
    try:
        return np.asarray(
            simplejpeg.decode_jpeg(data, colorspace="BGR", min_height=height, min_width=width, strict=True)
        )
    except REFUSED as error:
        if "cmyk" in str(error).lower() or "colorspace" in str(error).lower():
            return _decode_other(data)
        raise ImageError("image_truncated", "the JPEG is cut off or damaged; send the whole file") from None


def _decode_other(data: bytes) -> NDArray[np.uint8]:
    """PNG, WebP and unusual JPEGs by OpenCV: grey, palette, transparency and 16 bits become 8-bit BGR."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    if not _is_complete(data):
        raise ImageError("image_truncated", "the picture is cut off or damaged; send the whole file")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ImageError("image_truncated", "the picture is cut off or damaged; send the whole file")
    return np.asarray(pixels, dtype=np.uint8)


def _is_complete(data: bytes) -> bool:
    """OpenCV fills what is missing with grey, so the containers' own ends are looked at."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:]
    if data.startswith(b"RIFF"):
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return True
