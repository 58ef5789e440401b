"""A pack that a test makes up: a detector that takes red squares for faces, and an embedder of what is where.

The detector has the outputs of SCRFD: on the coarsest stride a cell is a face if it is red, with a box of two cells and
key points half a cell from its middle. The embedder is a picture's means of 16 parts.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

POINTS = (-0.5, -0.5, 0.5, -0.5, 0.0, 0.0, -0.5, 0.5, 0.5, 0.5)
STRIDES = (8, 16, 32)

MANIFEST = """
[packs.tiny]
detector = "squares"
embedder = "parts"
licence = "none"
{terms}

[models.squares]
task = "detection"
file = "squares.onnx"
sha256 = "{squares}"
licence = "none"
origin = "a test"
training_data = "none"
channel_order = "rgb"
mean = [127.5, 127.5, 127.5]
scale = 0.0078125
size = []
decoder = "scrfd"
output = "as SCRFD"

[models.parts]
task = "embedding"
file = "parts.onnx"
sha256 = "{parts}"
licence = "none"
origin = "a test"
training_data = "none"
channel_order = "rgb"
mean = [120.0, 110.0, 100.0]
scale = [0.01, 0.02, 0.03]
size = [112, 112]
output = "(B, 48)"
"""


def write_pack(
    folder: Path, *, terms: str = "", files: Mapping[str, bytes] | None = None, manifest: str = MANIFEST
) -> Path:
    """A directory with a pack. `files`: other contents for `squares` and `parts`; `manifest`: with their places."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"squares": squares(), "parts": parts(), **(files or {})}
    for name, content in contents.items():
        (folder / f"{name}.onnx").write_bytes(content)
    hashes = {name: sha256(content).hexdigest() for name, content in contents.items()}
    line = f'terms = "{terms}"' if terms else ""
    (folder / "heyan-pack.toml").write_text(manifest.format(terms=line, **hashes), "utf-8")
    return folder


def squares(*, batched: bool = True, side: int | str = "?", stem: bool = True) -> bytes:
    """The detector. `batched`: its outputs have a leading batch of one, or none, as InsightFace's own files.

    `stem`: one convolution sees the picture first; without, each output has its own.
    """
    weights: dict[str, np.ndarray] = {"stem_weight": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)}
    nodes: list[NodeProto] = [
        helper.make_node("Conv" if stem else "Identity", ["x", "stem_weight"][: 1 + stem], ["seen"])
    ]
    for kind, values in (("score", 1), ("box", 4), ("kps", 10)):
        for stride in STRIDES:
            nodes += _head(weights, kind, values, stride, batched=batched)
    outputs = [
        helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, ["b", "a", values][0 if batched else 1 :])
        for kind, values in (("score", 1), ("box", 4), ("kps", 10))
        for stride in STRIDES
    ]
    return _model(nodes, outputs, weights, ["b", 3, side, side] if side == "?" else [1, 3, side, side])


def parts(*, grey: bool = False) -> bytes:
    """The embedder, whose last step insists on a batch of one. `grey`: it takes pictures of one channel instead."""
    channels = 1 if grey else 3
    weights = {
        "weight": np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1),
        "shape": np.array([1, 16 * channels]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["same"]),
        helper.make_node("AveragePool", ["same"], ["means"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Reshape", ["means", "shape"], ["out"]),
    ]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 16 * channels])
    return _model(nodes, [output], weights, [1, channels, 112, 112])


def _head(weights: dict[str, np.ndarray], kind: str, values: int, stride: int, *, batched: bool) -> list[NodeProto]:
    name = f"{kind}_{stride}"
    weight, bias = np.zeros((2 * values, 3, 1, 1), np.float32), np.zeros(2 * values, np.float32)
    if kind == "score":
        bias[:] = -20.0
        if stride == STRIDES[-1]:
            weight[0, :, 0, 0], bias[0] = (8.0, -8.0, -8.0), -14.0
    else:
        bias[:] = 2 * ((1.0,) * 4 if kind == "box" else POINTS)
    weights |= {f"{name}_weight": weight, f"{name}_bias": bias}
    weights[f"{name}_shape"] = np.array([1, -1, values] if batched else [-1, values])
    last = f"{name}_logit" if kind == "score" else name
    return [
        helper.make_node("AveragePool", ["seen"], [f"{name}_mean"], kernel_shape=[stride] * 2, strides=[stride] * 2),
        helper.make_node("Conv", [f"{name}_mean", f"{name}_weight", f"{name}_bias"], [f"{name}_map"]),
        helper.make_node(
            "Transpose", [f"{name}_map"], [f"{name}_rows"], perm=[0, 2, 3, 1] if batched else [2, 3, 0, 1]
        ),
        helper.make_node("Reshape", [f"{name}_rows", f"{name}_shape"], [last]),
        *([helper.make_node("Sigmoid", [last], [name])] if kind == "score" else []),
    ]


def _model(
    nodes: list[NodeProto],
    outputs: list[onnx.ValueInfoProto],
    weights: Mapping[str, np.ndarray],
    shape: list[int | str],
) -> bytes:
    fed = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [fed], outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())
