"""The compile step: what a source holds → what ONNX Runtime runs well.

A chain of graph rewrites, each small and exact up to rounding. Here: constant weights are dequantised and folded to
fp32, initialisers that stand as required inputs are dropped, batch norms are folded into their neighbours, batch,
height and width become dynamic. For the runtime's kernels (`models/compile_kernels.py`): heads are merged, PReLU
becomes convolutions, and the graph takes pictures as they are: uint8, (N, H, W, 3), BGR.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from models.compile_kernels import merge_heads, rewrite_prelu, take_pictures
from models.graph_edits import (
    Array,
    bypass,
    constant,
    constants,
    consumers,
    drop_unused,
    only_consumer,
    producer,
    replace_nodes,
    set_constant,
)
from models.manifest import ModelEntry

COMPILER_VERSION = "2"
"""Part of the cache's key: raise it with any change here. If answers change by more than rounding does, as another
provider's do, raise the contract of the embedding as well."""


def compile_model(source: bytes, entry: ModelEntry) -> bytes:
    """Compile a model file's bytes for one manifest entry; gives the bytes of an ONNX file.

    Raises:
        onnx.checker.ValidationError: the rewritten graph is no valid model.
    """
    model = onnx.load_from_string(source)
    for rewrite in (fold_constants, drop_constant_inputs, fold_batch_norms, merge_heads, rewrite_prelu):
        rewrite(model.graph)
    _make_dynamic(model.graph, entry)
    take_pictures(model.graph, entry)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def dequantise(source: bytes) -> bytes:
    """Only what is needed to run a source at all: the plain model that a compiled one is compared with."""
    model = onnx.load_from_string(source)
    fold_constants(model.graph)
    drop_constant_inputs(model.graph)
    return bytes(model.SerializeToString())


def fold_constants(graph: GraphProto) -> None:
    """Compute every node that depends on constants alone (dequantisation of weights, reshapes of them)."""
    known = constants(graph)
    folded = list(_const_nodes(graph, set(known)))
    if not folded:
        return
    outputs = [output for node in folded for output in node.output]
    used = {name for node in folded for name in node.input if name in known}
    values = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    folding = helper.make_graph(folded, "constants", [], values, [numpy_helper.from_array(known[n], n) for n in used])
    opset = [helper.make_opsetid("", 21)]
    results = ReferenceEvaluator(helper.make_model(folding, opset_imports=opset)).run(None, {})
    replace_nodes(graph, [node for node in graph.node if node not in folded])
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in zip(outputs, results, strict=True)
    )
    drop_unused(graph)


def drop_constant_inputs(graph: GraphProto) -> None:
    """Keep only inputs that are fed: not initialisers, and read by a node."""
    constant_names = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.input if value.name not in constant_names and value.name in read]
    del graph.input[:]
    graph.input.extend(kept)


def fold_batch_norms(graph: GraphProto) -> None:
    """Fold each BatchNormalization into the Conv or Gemm before it, or into the Gemm behind it; others stay."""
    bypass(graph, "Dropout")
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        before = producer(graph, norm.input[0])
        if before is not None and before.op_type in {"Conv", "Gemm"} and len(consumers(graph, before.output[0])) == 1:
            _fold_into_previous(graph, norm, before)
        elif [node.op_type for node in consumers(graph, norm.output[0])] == ["Flatten"]:
            _fold_into_next(graph, norm)
    drop_unused(graph)


def _fold_into_previous(graph: GraphProto, norm: NodeProto, before: NodeProto) -> None:
    """W' = W s, b' = b s + t with s = gamma / sqrt(var + eps), t = beta - mean s (Ioffe & Szegedy 2015)."""
    scale, shift = _norm_affine(graph, norm)
    weight = constant(graph, before.input[1])
    bias = constant(graph, before.input[2]) if len(before.input) > 2 else np.zeros(len(weight), np.float32)  # noqa: PLR2004
    names = [f"{norm.output[0]}_weight", f"{norm.output[0]}_bias"]
    set_constant(graph, names[0], weight * scale.reshape(-1, *[1] * (weight.ndim - 1)))
    set_constant(graph, names[1], bias * scale + shift)
    del before.input[1:]
    before.input.extend(names)
    before.output[0] = norm.output[0]
    graph.node.remove(norm)


def _fold_into_next(graph: GraphProto, norm: NodeProto) -> None:
    """Through a Flatten into a Gemm: W' = W s, b' = b + W t, s and t repeated over the positions of a channel."""
    flatten = only_consumer(graph, norm.output[0], "Flatten")
    gemm = only_consumer(graph, flatten.output[0], "Gemm")
    scale, shift = _norm_affine(graph, norm)
    weight, bias = constant(graph, gemm.input[1]), constant(graph, gemm.input[2])
    positions = weight.shape[1] // len(scale)
    set_constant(graph, f"{norm.output[0]}_weight", weight * np.repeat(scale, positions))
    set_constant(graph, f"{norm.output[0]}_bias", bias + weight @ np.repeat(shift, positions))
    gemm.input[1], gemm.input[2] = f"{norm.output[0]}_weight", f"{norm.output[0]}_bias"
    flatten.input[0] = norm.input[0]
    graph.node.remove(norm)


def _norm_affine(graph: GraphProto, norm: NodeProto) -> tuple[Array, Array]:
    gamma, beta, mean, variance = (constant(graph, name).astype(np.float64) for name in norm.input[1:])
    epsilon = next((attribute.f for attribute in norm.attribute if attribute.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _make_dynamic(graph: GraphProto, entry: ModelEntry) -> None:
    """Any batch size, and any height and width where the entry says so; fixed shapes inside give way to that."""
    for node in graph.node:
        if node.op_type == "Reshape" and not entry.size:
            shape = constant(graph, node.input[1]).copy()
            shape[0], shape[1] = 0, -1
            set_constant(graph, f"{node.output[0]}_shape", shape)
            node.input[1] = f"{node.output[0]}_shape"
    del graph.value_info[:]
    for value in graph.output:
        rank = len(value.type.tensor_type.shape.dim)
        tail = value.type.tensor_type.shape.dim[rank - 1].dim_value
        middle = ["anchors"] * (rank - 2)
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["batch", *middle, tail]))
    drop_unused(graph)


def _const_nodes(graph: GraphProto, known: set[str]) -> Iterator[NodeProto]:
    """Nodes, in order, whose inputs are all known; their outputs become known."""
    for node in graph.node:
        if all(name in known for name in node.input):
            known.update(node.output)
            yield node
