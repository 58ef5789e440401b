"""The compile step: what a source holds → what ONNX Runtime runs well.

A chain of graph rewrites, each small and exact up to rounding. Here: constant weights are dequantised and folded to
fp32, initialisers that stand as required inputs are dropped, batch norms are folded into their neighbours, batch,
height and width become dynamic. For the runtime's kernels: heads of a detector become one
(`models/compile_heads.py`), PReLU becomes convolutions, and the graph takes pictures as they are: uint8,
(N, H, W, 3), BGR (`models/compile_kernels.py`).
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from models.compile_heads import merge_heads
from models.compile_kernels import rewrite_prelu, take_pictures
from models.graph_edits import (
    Array,
    bypass,
    constant,
    constants,
    consumers,
    drop_unused,
    is_linear,
    only_consumer,
    producer,
    replace_nodes,
    set_constant,
)
from models.manifest import ModelEntry

COMPILER_VERSION = "3"
"""Part of the cache's key: raise it with any change here."""

ANSWERS_VERSION = "1"
"""Part of the contract of an embedding: raise it when answers change by more than rounding, as from provider to
provider."""

Pass = Callable[[GraphProto], None]


def compile_model(source: bytes, entry: ModelEntry) -> bytes:
    """Compile a model file's bytes for one manifest entry; gives the bytes of an ONNX file.

    Raises:
        onnx.checker.ValidationError: the rewritten graph is no valid model.
    """
    model = onnx.load_from_string(source)
    opset = _opset(model)
    for rewrite in (
        partial(fold_constants, opset=opset),
        drop_constant_inputs,
        fold_batch_norms,
        rewrite_prelu,
        partial(_make_dynamic, entry=entry),
        partial(merge_heads, opset=opset),
        partial(take_pictures, entry=entry, opset=opset),
    ):
        rewrite(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def dequantise(source: bytes) -> bytes:
    """Only what is needed to run a source at all: the plain model that a compiled one is compared with."""
    model = onnx.load_from_string(source)
    fold_constants(model.graph, opset=_opset(model))
    drop_constant_inputs(model.graph)
    return bytes(model.SerializeToString())


def fold_constants(graph: GraphProto, *, opset: int) -> None:
    """Compute every node that depends on constants alone (dequantisation of weights, reshapes of them)."""
    known = constants(graph)
    folded = list(_const_nodes(graph, set(known)))
    if not folded:
        return
    outputs = [output for node in folded for output in node.output]
    used = {name for node in folded for name in node.input if name in known}
    values = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    chain = helper.make_graph(folded, "constants", [], values, [numpy_helper.from_array(known[n], n) for n in used])
    imports = [helper.make_opsetid("", opset)]
    results = ReferenceEvaluator(helper.make_model(chain, opset_imports=imports)).run(None, {})
    replace_nodes(graph, [node for node in graph.node if node not in folded])
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in zip(outputs, results, strict=True)
    )
    drop_unused(graph)


def drop_constant_inputs(graph: GraphProto) -> None:
    """Keep only inputs that are fed: not initialisers, and read by a node."""
    constant = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.input if value.name not in constant and value.name in read]
    del graph.input[:]
    graph.input.extend(kept)


def fold_batch_norms(graph: GraphProto) -> None:
    """Fold each BatchNormalization into the Conv or Gemm before it, or into the Gemm behind it; others stay."""
    bypass(graph, "Dropout")
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        before = producer(graph, norm.input[0])
        if before is not None and _takes_scale(before) and len(consumers(graph, before.output[0])) == 1:
            _fold_into_previous(graph, norm, before)
        elif [node.op_type for node in consumers(graph, norm.output[0])] == ["Flatten"]:
            _fold_into_next(graph, norm)
    drop_unused(graph)


def _takes_scale(node: NodeProto) -> bool:
    """Whether rows of the second input make the outputs, so that a scale of those can go into it."""
    return node.op_type == "Conv" or is_linear(node)


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
    if not _takes_scale(gemm):
        return
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
    known = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in known:
            _free_reshape(graph, node, entry)
    del graph.value_info[:]
    for value in graph.output:
        sides = [side.dim_value for side in value.type.tensor_type.shape.dim]
        free = ["batch", *["anchors"] * (len(sides) - 2), sides[-1] or "values"] if sides else None
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, free))
    drop_unused(graph)


def _free_reshape(graph: GraphProto, node: NodeProto, entry: ModelEntry) -> None:
    """A shape that begins with a batch of one takes any; a detector's anchors (B, A, values) become any number."""
    shape = constant(graph, node.input[1]).copy()
    if len(shape) < 2 or shape[0] != 1:  # noqa: PLR2004
        return
    shape[0] = 0
    if not entry.size:
        shape[1] = -1
    set_constant(graph, f"{node.output[0]}_shape", shape)
    node.input[1] = f"{node.output[0]}_shape"


def _opset(model: onnx.ModelProto) -> int:
    return int(next(each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}))


def _const_nodes(graph: GraphProto, known: set[str]) -> Iterator[NodeProto]:
    """Nodes, in order, whose inputs are all known; their outputs become known."""
    for node in graph.node:
        if all(name in known for name in node.input):
            known.update(node.output)
            yield node
