"""Does a compiled graph say what its source says? Asked of every model when it is compiled.

A rewrite that does not fit an operator's graph, or a channel order that is turned where the graph does not expect it,
would not fail: it would give other numbers.
"""

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from models.compile import dequantise
from models.errors import ModelError
from models.manifest import ModelEntry
from models.session import load_network, load_plain

SIDE = 320
"""Of the picture that a detector is asked about, where its source takes any."""
TOLERANCE = 1e-3
"""Of each output, in its own largest magnitude; rounding takes some 1e-5 of it."""
LEAST_MAGNITUDE = 0.01
"""What smaller outputs are measured in: scores of a picture without a face are next to nothing, and rounding is not."""


def check_agreement(source: bytes, compiled: bytes, entry: ModelEntry) -> None:
    """Run both on one picture.

    Raises:
        ModelError: `model_invalid` if they differ. Whatever the runtime raises for a graph that it refuses.
    """
    plain = dequantise(source)
    picture = _picture(sides_of(plain, entry))
    network = load_network(compiled, provider="cpu", threads=1, warm_up=picture[None].shape)
    for theirs, ours in zip(
        load_plain(plain, threads=1).run(planes_of(picture, entry)), network.run(picture[None]), strict=True
    ):
        apart = _apart(theirs, ours)
        if not apart <= TOLERANCE:
            message = f"once compiled it says something else (outputs {apart:.2g} apart): the steps do not fit it"
            raise ModelError("model_invalid", message)


def sides_of(plain: bytes, entry: ModelEntry) -> tuple[int, int]:
    """Height and width that both take."""
    if entry.size:
        return entry.size[0], entry.size[1]
    shape = onnx.load_from_string(plain).graph.input[0].type.tensor_type.shape.dim
    height, width = (side.dim_value or SIDE for side in (shape[2], shape[3]))
    return height, width


def _picture(sides: tuple[int, int]) -> NDArray[np.uint8]:
    """Coloured blotches, uint8 (H, W, 3) BGR; the same every time."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, sides[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def planes_of(picture: NDArray[np.uint8], entry: ModelEntry) -> NDArray[np.float32]:
    """As the source wants it: float32 (1, 3, H, W) in its channel order, normalised."""
    ordered = picture[..., ::-1] if entry.channel_order == "rgb" else picture
    mean, scale = np.array(entry.mean, np.float32), np.array(entry.scale, np.float32)
    normalised = (ordered.astype(np.float32) - mean) * scale
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], np.float32)


def _apart(theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> float:
    """Largest difference, in the largest magnitude (`LEAST_MAGNITUDE`); infinite where they have not as many values."""
    if theirs.size != ours.size:
        return float("inf")
    largest = max(float(np.abs(theirs).max(initial=0.0)), LEAST_MAGNITUDE)
    return float(np.abs(theirs.reshape(-1) - ours.reshape(-1)).max(initial=0.0)) / largest
