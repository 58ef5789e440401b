"""Portraits at the sizes that benches speak of."""

from collections.abc import Sequence

import cv2
import numpy as np
import simplejpeg

from models.image import decode_image

LONG_SIDE_640 = 640
TWO_MEGAPIXELS = 2_000_000
JPEG_QUALITY = 90


def scaled_photos(photos: Sequence[bytes], *, long_side: int | None = None, pixels: int | None = None) -> list[bytes]:
    """The photos as JPEG of a given long side or number of pixels.

    Raises:
        models.image.ImageError: one cannot be decoded.
    """
    return [_scaled(photo, long_side, pixels) for photo in photos]


def _scaled(photo: bytes, long_side: int | None, pixels: int | None) -> bytes:
    picture = decode_image(photo).pixels
    height, width = picture.shape[:2]
    scale = long_side / max(height, width) if long_side else float(np.sqrt((pixels or 1) / (height * width)))
    size = (round(width * scale), round(height * scale))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    coded: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(resized), quality=JPEG_QUALITY, colorspace="BGR")
    return coded
