"""Which people are trained on, which calibrate, and which are measured: by a hash of the name, so for good."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from re import fullmatch
from typing import Literal

Part = Literal["training", "calibration", "test"]

SHARES: tuple[tuple[Part, float], ...] = (("training", 0.6), ("calibration", 0.8), ("test", 1.0))
"""Upper ends of the shares of all people."""


def part_of(person: str) -> Part:
    """The part that a person belongs to."""
    place = int.from_bytes(sha256(f"heyan people split {person}".encode()).digest()[:8], "big") / 2**64
    return next(part for part, end in SHARES if place < end)


def person_of(photo: Path) -> str:
    """`Jane_Doe_0002.jpg` → `Jane_Doe`."""
    named = fullmatch(r"(.+?)(?:_\d+)?", photo.stem)
    return named.group(1) if named else photo.stem


def photos_of(photos: Iterable[Path], part: Part) -> tuple[Path, ...]:
    """The photos of the people of one part, sorted."""
    return tuple(sorted(photo for photo in photos if part_of(person_of(photo)) == part))
