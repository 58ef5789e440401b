"""Is an embedder with weights in 8 bits faster here, and does it say the same? Measured on this machine, not guessed.

ONNX Runtime has fast kernels for them on some instruction sets alone; on others they take twice the time.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from models.alignment import SIDE
from models.errors import ModelError
from models.processor import processor_name
from models.session import Network, load_network, runtime_info

WORTH = 0.97
"""Share of the time from which on another rounding is worth while."""
LEAST_COSINE = 0.9999
"""Between the two answers to any of the pictures; with SFace it is 0.99999 or more (docs/accuracy.md)."""
PICTURES = 8
ROUNDS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightTrial:
    """What was found, and where. Nothing to try: 1 and 1; a runtime that refuses the narrow network: 1 and 0."""

    processor: str
    onnxruntime: str
    time: float
    """Of one face, one thread: with weights in 8 bits ÷ with them in 32, median over interleaved rounds."""
    cosine: float
    """Between the two answers to one picture; the least of some."""

    @property
    def chosen(self) -> bool:
        """Whether weights in 8 bits are to be used: never for a NaN."""
        return self.time <= WORTH and self.cosine >= LEAST_COSINE

    @property
    def of_here(self) -> bool:
        """Whether it was made on such a processor, with this runtime."""
        return (self.processor, self.onnxruntime) == _here()


def try_weights(wide: bytes, narrow: bytes | None) -> WeightTrial:
    """Run two compiled embedders in turns, some two seconds. A runtime that refuses the narrow one leaves it unchosen.

    Raises:
        ModelError: `model_invalid` if the wide one does not run.
    """
    if narrow is None:
        return _found(time=1.0, cosine=1.0)
    other, pictures = _loaded(wide), _pictures()
    try:
        ours = _loaded(narrow)
    except ModelError:
        return _found(time=1.0, cosine=0.0)
    cosine = min(_cosine(ours.run(picture[None])[0], other.run(picture[None])[0]) for picture in pictures)
    return _found(time=_ratio(ours, other, pictures), cosine=cosine)


def read_trial(path: Path) -> WeightTrial | None:
    """What was kept; None if there is nothing that can be read, so that it has to be tried."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=WeightTrial, strict=True)
    except (OSError, msgspec.DecodeError):
        return None


def _found(*, time: float, cosine: float) -> WeightTrial:
    processor, runtime = _here()
    return WeightTrial(processor=processor, onnxruntime=runtime, time=time, cosine=cosine)


def _here() -> tuple[str, str]:
    return processor_name(), runtime_info()["onnxruntime"]


def _loaded(content: bytes) -> Network:
    return load_network(content, provider="cpu", threads=1, warm_up=(1, SIDE, SIDE, 3))


def _pictures() -> NDArray[np.uint8]:
    """Coloured blotches, uint8 (N, 112, 112, 3) BGR; the same every time."""
    coarse = np.random.default_rng(0).integers(0, 256, (PICTURES, 7, 7, 3), dtype=np.uint8)
    enlarged = [cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for each in coarse]
    return np.asarray(enlarged, np.uint8)


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    first, second = one.reshape(-1).astype(np.float64), other.reshape(-1).astype(np.float64)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _ratio(one: Network, other: Network, pictures: NDArray[np.uint8]) -> float:
    """Time of one ÷ time of the other, median over rounds of a picture each."""
    rounds = (pictures[number % len(pictures)][None] for number in range(ROUNDS))
    return median(_seconds(one, fed) / _seconds(other, fed) for fed in rounds)


def _seconds(network: Network, fed: NDArray[np.uint8]) -> float:
    started = perf_counter()
    network.run(fed)
    return perf_counter() - started
