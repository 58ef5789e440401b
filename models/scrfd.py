"""Reads faces from the outputs of SCRFD with key points, as InsightFace exports it (Guo et al., "Sample and Computation
Redistribution for Efficient Face Detection", ICLR 2022).

Nine outputs, for each of the strides 8, 16 and 32: scores (A, 1), 0 to 1; boxes (A, 4), the distances from an anchor to
left, top, right and bottom; key points (A, 10), from the anchor; both in strides. Two anchors a cell, row by row. With
or without a leading batch of one, in any order: they are told apart by their shapes.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.detection import STRIDES, Candidate, Face, Sides, distinct_faces
from models.errors import ModelError

ANCHORS = 2
"""Of each cell."""
SCORE = 0.5
"""Least score of a face, and the overlap beyond which two are one: InsightFace's own defaults."""
OVERLAP = 0.4

Floats = NDArray[np.float32]


def decode_scrfd(outputs: Mapping[str, Floats], sides: Sides, scale: float) -> tuple[Face, ...]:
    """SCRFD's faces (`models.detection.Decoder`).

    Raises:
        ModelError: `model_invalid` for outputs that are not those of this network.
    """
    scores, ways, points = (_of_all_strides(outputs, values) for values in (1, 4, 10))
    cells, strides = _anchors(sides[0], sides[1])
    if not len(cells) == len(scores) == len(ways) == len(points):
        raise _not_scrfd(outputs)
    strong = np.flatnonzero(scores[:, 0] >= SCORE)
    centres, stride = cells[strong], strides[strong]
    reach = ways[strong] * stride
    corners = centres - reach[:, :2]
    boxes = np.concatenate([corners, centres + reach[:, 2:] - corners], axis=1)
    landmarks = centres[:, None] + points[strong].reshape(-1, 5, 2) * stride[:, None]
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(landmarks).all(axis=(1, 2)) & (boxes[:, 2:] > 0).all(axis=1)
    parts = (boxes[finite], landmarks.reshape(-1, 10)[finite], scores[strong, 0][finite])
    found = [Candidate(*each) for each in zip(*(part.tolist() for part in parts), strict=True)]
    return distinct_faces(found, scale=scale, score=SCORE, overlap=OVERLAP)


def _of_all_strides(outputs: Mapping[str, Floats], values: int) -> Floats:
    """(A, `values`) of the anchors of all strides, the finest first."""
    found = [each.reshape(-1, values) for each in outputs.values() if each.shape[-1] == values]
    if len(found) != len(STRIDES):
        raise _not_scrfd(outputs)
    return np.concatenate(sorted(found, key=len, reverse=True))


@lru_cache(maxsize=128)
def _anchors(height: int, width: int) -> tuple[Floats, Floats]:
    """Centre (A, 2) in pixels and stride (A, 1) of every anchor on a picture of these sides."""
    grids = [s * np.indices((height // s, width // s)).reshape(2, -1)[::-1].T.repeat(ANCHORS, axis=0) for s in STRIDES]
    strides = [np.full((len(grid), 1), s) for grid, s in zip(grids, STRIDES, strict=True)]
    return np.concatenate(grids).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _not_scrfd(outputs: Mapping[str, Floats]) -> ModelError:
    shapes = ", ".join(f"{name} {each.shape}" for name, each in outputs.items())
    message = f"these are no outputs of SCRFD with key points and two anchors a cell on strides 8, 16, 32: {shapes}"
    return ModelError("model_invalid", message)
