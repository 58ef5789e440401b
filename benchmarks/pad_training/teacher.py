"""The teacher: the MiniFASNet pair (minivision-ai, Apache-2.0), prepared as the pack `minifasnet`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.pad_crops import SIDE
from models.prepare import read_compiled
from models.session import Network, load_network

Floats = NDArray[np.float32]

PACK = "minifasnet"
NETWORKS = ("minifasnet_v2", "minifasnet_v1se")
"""Of the near and of the far view (`models.pad_crops`)."""
LIVE = 1
"""Index of the class "live" in the three logits."""

TAPS = (
    "/stem_dw/prelu/PRelu_output_0",
    "/transition1/project/conv/Conv_output_0",
    *(f"/stage2/model/model.{place}/Add_output_0" for place in range(4)),
    "/transition2/project/conv/Conv_output_0",
    *(f"/stage3/model/model.{place}/Add_output_0" for place in range(6)),
    "/transition3/project/conv/Conv_output_0",
    *(f"/stage4/model/model.{place}/Add_output_0" for place in range(2)),
    "/bn/BatchNormalization_output_0",
    "output",
)
"""What the student learns to imitate, one for each of its parts: features (32 x 40 x 40, 64 x 20 x 20,
128 x 10 x 10, 128 x 5 x 5), embedding (128), logits (3)."""

BATCH = 16
"""Views at a time: what lies between two layers stays in the cache."""


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
        graph = onnx.load_from_string(read_compiled(data_dir, PACK, NETWORKS[place], provider="cpu"))
        del graph.graph.output[:]
        graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in TAPS)
        tapped = onnx.shape_inference.infer_shapes(graph).SerializeToString()
        return cls(load_network(tapped, provider="cpu", threads=1, warm_up=(1, SIDE, SIDE, 3)))

    def answers(self, views: NDArray[np.uint8]) -> Sequence[Floats]:
        """What it says of views, uint8 (N, 80, 80, 3) BGR: an array (N, …) for each of `TAPS`."""
        parts = [
            self.network.run(np.ascontiguousarray(views[start : start + BATCH]))
            for start in range(0, len(views), BATCH)
        ]
        return [np.concatenate(tap) for tap in zip(*parts, strict=True)]


def live_logit(logits: Floats) -> Floats:
    """Log odds of "live", (N,), from logits (N, 3)."""
    others = np.delete(logits, LIVE, axis=1)
    return np.asarray(logits[:, LIVE] - np.logaddexp(others[:, 0], others[:, 1]), np.float32)
