"""A picture's fingerprint, which survives another compression, a little noise and another size, but no motion.

The signs of the 16 x 16 lowest frequencies (discrete cosine transform, without the constant ones) of the luma at
64 x 64 against their median, as perceptual hashes do (Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions, 2010): two pictures are as alike as few of the 256 bits differ.

Tried on sessions of three rendered people: frames that were compressed anew, made smaller or brighter differ from what
they were in 0 to 14 bits (19 of 20 within that), those of another session of the same person in the same room in 18 to
68.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 64
FREQUENCIES = 16
BITS = FREQUENCIES * FREQUENCIES
BYTES = BITS // 8
PARTS = BITS // 16
"""Of a fingerprint, 16 bits each."""
LARGEST_PRODUCT = 200_000
"""Multiplications from some more of which on OpenBLAS shares a product among threads, whatever else wants the cores."""

Fingerprints = NDArray[np.uint64]
"""(N, 4): one row of 256 bits a picture."""


def fingerprint(luma: NDArray[np.uint8]) -> bytes:
    """32 bytes. `luma`: uint8 (H, W); a copy of half the size gives the same but for rounding, and is faster."""
    height, width = luma.shape
    across, rows = _lowest(width).T, max(1, LARGEST_PRODUCT // (FREQUENCIES * width))
    parts = [luma[row : row + rows].astype(np.float32) @ across for row in range(0, height, rows)]
    low = (_lowest(height) @ np.concatenate(parts)).reshape(-1)
    middle = np.partition(low, (BITS // 2 - 1, BITS // 2))[BITS // 2 - 1 : BITS // 2 + 1].mean()
    return np.packbits(low > middle).tobytes()


def fingerprints(content: bytes) -> Fingerprints:
    """Rows from fingerprints that were joined. Raises ValueError if they are not whole."""
    return np.frombuffer(content, np.uint64).reshape(-1, BYTES // 8)


def distances(ones: Fingerprints, others: Fingerprints) -> NDArray[np.int64]:
    """Bits that differ, (N, M) of 0 to 256, of each of `ones` from each of `others`."""
    apart = np.bitwise_count(ones[:, None, :] ^ others[None, :, :])
    return np.asarray(apart.sum(axis=2, dtype=np.int64), np.int64)


def near(ones: Fingerprints, others: Fingerprints, *, bits: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which of `others` may lie within `bits` of one of `ones`, and for each of these places which do: (N, places).

    Two that differ in so few bits agree in all parts but that many (the pigeonhole principle, as in Norouzi, Punjani &
    Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012): whatever shares fewer parts with all of
    `ones` together is passed over, which is nearly everything. No pair within `bits` is missed.
    """
    agree = np.zeros(len(others), np.uint8)
    for one, other in zip(ones.view(np.uint16).T, others.view(np.uint16).T, strict=True):
        known = np.zeros(1 << 16, np.uint8)
        known[one] = 1
        agree += known[other]
    places = np.flatnonzero(agree >= max(0, PARTS - bits))
    return places, distances(ones, others[places]) <= bits


def distinct(prints: Fingerprints, *, apart: int) -> Fingerprints:
    """In order, those that differ in `apart` bits or more from the last that was kept: what moved."""
    kept = [0] if len(prints) else []
    for place in range(1, len(prints)):
        if distances(prints[kept[-1] :][:1], prints[place:][:1])[0, 0] >= apart:
            kept.append(place)
    return prints[kept]


@lru_cache(maxsize=16)
def _lowest(size: int) -> NDArray[np.float32]:
    """A side of `size` pixels → means of 64 equal parts → their frequencies 1 to 16, as one map, float32 (16, size)."""
    frequencies, places = np.arange(1, FREQUENCIES + 1), np.arange(SIDE)
    cosines = np.sqrt(2 / SIDE) * np.cos(np.pi * np.outer(frequencies, 2 * places + 1) / (2 * SIDE))
    starts, pixels = places[:, None] * size / SIDE, np.arange(size)
    covered = np.minimum(starts + size / SIDE, pixels + 1) - np.maximum(starts, pixels)
    return np.asarray(cosines @ (np.clip(covered, 0, None) * SIDE / size), np.float32)
