"""JPEGs that can be cut to another height without decoding them: each row of blocks ends in a restart marker.

A session that sends the frames of another one is refused as a replay, and rightly so. Cut to a height of its own each
session shows another picture, and that costs the load no more than joining bytes.
"""

import re
import struct
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.phone.camera import Picture, Shutter

ROW = 16
"""Pixels of one row of blocks where colour is halved (ITU-T T.81, A.2)."""
QUALITY = 80
START_OF_FRAME, START_OF_SCAN, END_OF_IMAGE = b"\xff\xc0", b"\xff\xda", b"\xff\xd9"
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
"""Inside of coded data no other 0xff is followed by these (ITU-T T.81, B.1.1.5)."""
RESTARTS = 8


@dataclass(frozen=True, slots=True)
class Strips:
    """One JPEG by rows of blocks."""

    before: bytes
    """Up to the height in the frame header."""
    between: bytes
    """From after the height to the coded data."""
    rows: tuple[bytes, ...]

    @classmethod
    def of(cls, jpeg: bytes) -> "Strips":
        """Take a baseline JPEG apart that restarts after each row of blocks. Raises ValueError for any other."""
        height_at = jpeg.index(START_OF_FRAME) + 5
        scan = jpeg.index(START_OF_SCAN, height_at)
        coded = scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big")
        rows = tuple(RESTART.split(jpeg[coded : jpeg.rindex(END_OF_IMAGE)]))
        height = int.from_bytes(jpeg[height_at : height_at + 2], "big")
        if len(rows) * ROW != height:
            raise ValueError(f"{len(rows)} rows of {ROW} pixels are no picture of {height}")
        return cls(jpeg[:height_at], jpeg[height_at + 2 : coded], rows)

    def cut(self, *, top: int, bottom: int) -> bytes:
        """The JPEG without so many rows of blocks at its top and bottom."""
        kept = self.rows[top : len(self.rows) - bottom]
        parts = [self.before, struct.pack(">H", ROW * len(kept)), self.between, kept[0]]
        for place, row in enumerate(kept[1:]):
            parts += [bytes((0xFF, 0xD0 + place % RESTARTS)), row]
        return b"".join((*parts, END_OF_IMAGE))


class StripShutter(Shutter):
    """The simulated camera, with a restart marker after each row of blocks."""

    def _jpeg(self, picture: Picture) -> bytes:
        options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_RST_INTERVAL, picture.shape[1] // ROW]
        coded, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(picture), options)
        if not coded:
            raise ValueError(f"no JPEG can be made of a scene of shape {picture.shape}")
        return jpeg.tobytes()
