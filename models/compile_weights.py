"""Large weights in 8 bits, for machines that read them more slowly than they multiply.

A fully connected layer that is shown one face reads each weight once, so that reading them from memory is its time:
SFace's last layer has 25.7 MB of them. As bytes, with a scale for each block, they are 0.28 of that.
Answers change by more than rounding, and by less than anything that is decided on them (docs/accuracy.md);
`models/weight_trial.py` finds out whether this machine gains by it.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper

from models.graph_edits import Array, constant, consumers, drop_unused, is_linear, replace_nodes, set_constant

LARGE = 1 << 20
"""Weights of a layer from which it is worth while: 4 MiB as fp32, more than a core has to itself."""
BLOCK = 32
"""Weights along a row that share a scale."""
MIDDLE, FURTHEST = 128, 127
"""The byte that stands for zero, and how far the largest weight of a block is from it."""
DOMAIN = "com.microsoft"
INT8_ARITHMETIC = 4
"""`accuracy_level` of MatMulNBits: inputs become bytes by blocks too, products are summed as integers."""


def narrow_weights(compiled: bytes) -> bytes | None:
    """A compiled network with its large fully connected layers in 8 bits; None if it has none.

    w ~ s (q - 128) with s = max |w| / 127 over a block, as ONNX Runtime's MatMulNBits reads it.
    """
    model = onnx.load_from_string(compiled)
    large = [node for node in model.graph.node if _is_large(model.graph, node)]
    if not large:
        return None
    replace_nodes(
        model.graph, [_narrowed(model.graph, node) if node in large else node for node in list(model.graph.node)]
    )
    drop_unused(model.graph)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _is_large(graph: GraphProto, node: NodeProto) -> bool:
    known = {tensor.name for tensor in graph.initializer}
    if not is_linear(node) or node.input[1] not in known or len(consumers(graph, node.input[1])) > 1:
        return False
    weight = constant(graph, node.input[1])
    return weight.size >= LARGE and weight.shape[1] % BLOCK == 0


def _narrowed(graph: GraphProto, node: NodeProto) -> NodeProto:
    weight = constant(graph, node.input[1])
    rows, columns = weight.shape
    whole, scales = in_bytes(weight)
    name = node.output[0]
    set_constant(graph, f"{name}_bytes", whole)
    set_constant(graph, f"{name}_scales", scales)
    given = [node.input[0], f"{name}_bytes", f"{name}_scales", "", "", *node.input[2:]]
    sizes = {"K": columns, "N": rows, "bits": 8, "block_size": BLOCK, "accuracy_level": INT8_ARITHMETIC}
    return helper.make_node("MatMulNBits", given, [name], domain=DOMAIN, **sizes)


def in_bytes(weight: Array) -> tuple[NDArray[np.uint8], Array]:
    """Weights (N, K) as uint8 (N, K / 32, 32), with the scale of each block, float32 (N, K / 32)."""
    blocks = weight.reshape(len(weight), -1, BLOCK)
    scales = np.abs(blocks).max(axis=2) / np.float32(FURTHEST)
    steps = np.rint(blocks / np.where(scales > 0, scales, 1)[..., None])
    return np.asarray(steps + MIDDLE, np.uint8), np.asarray(scales, np.float32)
