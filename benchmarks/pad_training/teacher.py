"""The teacher: the MiniFASNet pair (minivision-ai, Apache-2.0), prepared as the pack `minifasnet`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.pad_crops import SIDE
from models.prepare import read_compiled
from models.session import Network, load_network

PACK = "minifasnet"
NETWORKS = ("minifasnet_v2", "minifasnet_v1se")
"""Of the near and of the far view (`models.pad_crops`)."""
LIVE = 1
"""Index of the class "live" in the three logits."""

TAPS = (
    "/transition2/project/conv/Conv_output_0",
    "/transition3/project/conv/Conv_output_0",
    "/linear/MatMul_output_0",
    "output",
)
"""What the student learns to imitate: features (128 x 10 x 10), features (128 x 5 x 5), embedding (128), logits (3)."""

BATCH = 128


@dataclass(frozen=True, slots=True)
class Answers:
    """What the teacher says of views: `coarse` float16 (N, 128, 10, 10), `fine` float16 (N, 128, 5, 5),
    `embedding` float16 (N, 128), `logits` float32 (N, 3)."""

    coarse: NDArray[np.float16]
    fine: NDArray[np.float16]
    embedding: NDArray[np.float16]
    logits: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Teacher:
    """The network of one view."""

    network: Network

    @classmethod
    def load(cls, data_dir: Path, place: int) -> "Teacher":
        """`place`: 0 near, 1 far.

        Raises:
            ModelError: `model_missing` if the pack is not prepared: `heyan models prepare --pack minifasnet`.
        """
        graph = onnx.load_from_string(read_compiled(data_dir, PACK, NETWORKS[place]))
        del graph.graph.output[:]
        graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in TAPS)
        tapped = onnx.shape_inference.infer_shapes(graph).SerializeToString()
        return cls(load_network(tapped, provider="cpu", threads=1, warm_up=(1, SIDE, SIDE, 3)))

    def answers(self, views: NDArray[np.uint8], advance: Callable[[int], object]) -> Answers:
        """Of views, uint8 (N, 80, 80, 3) BGR. `advance` is called with the number of views that are done."""
        parts = []
        for start in range(0, len(views), BATCH):
            told = self.network.run(np.ascontiguousarray(views[start : start + BATCH]))
            parts.append([np.asarray(tap, np.float16) for tap in told[:3]] + [told[3]])
            advance(len(told[3]))
        coarse, fine, embedding, logits = (np.concatenate(tap) for tap in zip(*parts, strict=True))
        return Answers(coarse, fine, embedding, logits)


def live_logit(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log odds of "live", (N,), from logits (N, 3)."""
    others = np.delete(logits, LIVE, axis=1)
    return np.asarray(logits[:, LIVE] - np.logaddexp(others[:, 0], others[:, 1]), np.float32)
