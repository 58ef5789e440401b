"""The compile step: what a source holds → what ONNX Runtime runs well.

A chain of graph rewrites, each small and exact up to rounding: constant weights are dequantised and folded to fp32,
initialisers that stand as required inputs are dropped, batch norms are folded into their neighbours, PReLU becomes two
depthwise convolutions (the runtime keeps its blocked layout), batch, height and width become dynamic, and the graph
takes pictures as they are: uint8, (N, H, W, 3), BGR.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from models.manifest import ModelEntry

COMPILER_VERSION = "1"
"""Part of the cache's key and of the contract of an embedding: raise it when the arithmetic changes."""

Array = NDArray[np.float32]
Pass = Callable[[GraphProto], None]


def compile_model(source: bytes, entry: ModelEntry) -> bytes:
    """Compile a model file's bytes for one manifest entry; gives the bytes of an ONNX file.

    Raises:
        onnx.checker.ValidationError: the rewritten graph is no valid model.
    """
    model = onnx.load_from_string(source)
    fold = partial(fold_constants, opset=_opset(model))
    for rewrite in (fold, drop_constant_inputs, fold_batch_norms, rewrite_prelu):
        rewrite(model.graph)
    _take_pictures(model.graph, entry)
    _make_dynamic(model.graph, entry)
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
    known = _constants(graph)
    folded = list(_const_nodes(graph, set(known)))
    if not folded:
        return
    outputs = [output for node in folded for output in node.output]
    used = {name for node in folded for name in node.input if name in known}
    values = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    constant = helper.make_graph(folded, "constants", [], values, [numpy_helper.from_array(known[n], n) for n in used])
    imports = [helper.make_opsetid("", opset)]
    results = ReferenceEvaluator(helper.make_model(constant, opset_imports=imports)).run(None, {})
    _replace_nodes(graph, [node for node in graph.node if node not in folded])
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in zip(outputs, results, strict=True)
    )
    _drop_unused(graph)


def drop_constant_inputs(graph: GraphProto) -> None:
    """Keep only inputs that are fed: not initialisers, and read by a node."""
    constant = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.input if value.name not in constant and value.name in read]
    del graph.input[:]
    graph.input.extend(kept)


def fold_batch_norms(graph: GraphProto) -> None:
    """Fold each BatchNormalization into the Conv or Gemm before it, or into the Gemm behind it; others stay."""
    _bypass(graph, "Dropout")
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        before = _producer(graph, norm.input[0])
        if before is not None and _takes_scale(before) and len(_consumers(graph, before.output[0])) == 1:
            _fold_into_previous(graph, norm, before)
        elif [node.op_type for node in _consumers(graph, norm.output[0])] == ["Flatten"]:
            _fold_into_next(graph, norm)
    _drop_unused(graph)


def rewrite_prelu(graph: GraphProto) -> None:
    """PReLU(x) = (1 - s) ReLU(x) + s x, as two 1x1 depthwise convolutions added: stays in the blocked layout.

    Where each channel of a picture has a slope of its own; any other PReLU stays as it is.
    """
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.extend(_prelu_as_convolutions(graph, node) if _slopes_by_channel(graph, node) else [node])
    _replace_nodes(graph, nodes)
    _drop_unused(graph)


def _slopes_by_channel(graph: GraphProto, node: NodeProto) -> bool:
    if node.op_type != "PRelu":
        return False
    shape = _value(graph, node.input[1]).shape
    return len(shape) >= 3 and shape[-3] > 1 and shape[-3] == int(np.prod(shape))  # noqa: PLR2004


def _prelu_as_convolutions(graph: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
    slope = _value(graph, node.input[1]).reshape(-1)
    source, target = node.input[0], node.output[0]
    yield helper.make_node("Relu", [source], [f"{target}_relu"])
    for part, weight, read in (("positive", 1 - slope, f"{target}_relu"), ("all", slope, source)):
        name = f"{target}_{part}_weight"
        _set_value(graph, name, weight.reshape(-1, 1, 1, 1))
        yield helper.make_node("Conv", [read, name], [f"{target}_{part}"], group=len(slope), kernel_shape=[1, 1])
    yield helper.make_node("Add", [f"{target}_positive", f"{target}_all"], [target])


def _takes_scale(node: NodeProto) -> bool:
    """Whether rows of the second input make the outputs, so that a scale of those can go into it."""
    if node.op_type == "Gemm":
        given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        plain = given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0 and not given.get("transA")
        return bool(plain and given.get("transB"))
    return node.op_type == "Conv"


def _fold_into_previous(graph: GraphProto, norm: NodeProto, before: NodeProto) -> None:
    """W' = W s, b' = b s + t with s = gamma / sqrt(var + eps), t = beta - mean s (Ioffe & Szegedy 2015)."""
    scale, shift = _norm_affine(graph, norm)
    weight = _value(graph, before.input[1])
    bias = _value(graph, before.input[2]) if len(before.input) > 2 else np.zeros(len(weight), np.float32)  # noqa: PLR2004
    names = [f"{norm.output[0]}_weight", f"{norm.output[0]}_bias"]
    _set_value(graph, names[0], weight * scale.reshape(-1, *[1] * (weight.ndim - 1)))
    _set_value(graph, names[1], bias * scale + shift)
    del before.input[1:]
    before.input.extend(names)
    before.output[0] = norm.output[0]
    graph.node.remove(norm)


def _fold_into_next(graph: GraphProto, norm: NodeProto) -> None:
    """Through a Flatten into a Gemm: W' = W s, b' = b + W t, s and t repeated over the positions of a channel."""
    flatten = _only_consumer(graph, norm.output[0], "Flatten")
    gemm = _only_consumer(graph, flatten.output[0], "Gemm")
    if not _takes_scale(gemm):
        return
    scale, shift = _norm_affine(graph, norm)
    weight, bias = _value(graph, gemm.input[1]), _value(graph, gemm.input[2])
    positions = weight.shape[1] // len(scale)
    _set_value(graph, f"{norm.output[0]}_weight", weight * np.repeat(scale, positions))
    _set_value(graph, f"{norm.output[0]}_bias", bias + weight @ np.repeat(shift, positions))
    gemm.input[1], gemm.input[2] = f"{norm.output[0]}_weight", f"{norm.output[0]}_bias"
    flatten.input[0] = norm.input[0]
    graph.node.remove(norm)


def _norm_affine(graph: GraphProto, norm: NodeProto) -> tuple[Array, Array]:
    gamma, beta, mean, variance = (_value(graph, name).astype(np.float64) for name in norm.input[1:])
    epsilon = next((attribute.f for attribute in norm.attribute if attribute.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _take_pictures(graph: GraphProto, entry: ModelEntry) -> None:
    """Feed uint8 (N, H, W, 3) BGR: cast and transpose in the graph, channel order turned in the first weights."""
    (fed,) = graph.input
    first = next(node for node in graph.node if node.op_type == "Conv")
    if entry.channel_order == "rgb":
        name = f"{first.input[1]}_bgr"
        _set_value(graph, name, _value(graph, first.input[1])[:, ::-1])
        first.input[1] = name
    planes = "pictures_planes"
    nodes = [
        helper.make_node("Transpose", ["pictures"], ["pictures_transposed"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["pictures_transposed"], ["pictures_float"], to=TensorProto.FLOAT),
        *_normalisation(graph, entry, "pictures_float", planes),
    ]
    for node in graph.node:
        node.input[:] = [planes if name == fed.name else name for name in node.input]
    _replace_nodes(graph, [*nodes, *graph.node])
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["batch", *(entry.size or ("height", "width")), 3])
    )
    _drop_unused(graph)


def _normalisation(graph: GraphProto, entry: ModelEntry, source: str, target: str) -> Iterator[NodeProto]:
    """(pixel - mean) * scale with the manifest's values (in its channel order); nothing where they are neutral."""
    mean, scale = np.array(entry.mean, np.float32), np.array(entry.scale, np.float32)
    turned = slice(None, None, -1 if entry.channel_order == "rgb" else 1)
    if not mean.any() and entry.scale == 1.0:
        yield helper.make_node("Identity", [source], [target])
        return
    _set_value(graph, "pictures_mean", mean[turned].reshape(1, 3, 1, 1))
    _set_value(graph, "pictures_scale", scale[turned].reshape(1, 3, 1, 1) if scale.ndim else scale)
    yield helper.make_node("Sub", [source, "pictures_mean"], ["pictures_centred"])
    yield helper.make_node("Mul", ["pictures_centred", "pictures_scale"], [target])


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
    _drop_unused(graph)


def _free_reshape(graph: GraphProto, node: NodeProto, entry: ModelEntry) -> None:
    """A shape that begins with a batch of one takes any; a detector's anchors (B, A, values) become any number."""
    shape = _value(graph, node.input[1]).copy()
    if len(shape) < 2 or shape[0] != 1:  # noqa: PLR2004
        return
    shape[0] = 0
    if not entry.size:
        shape[1] = -1
    _set_value(graph, f"{node.output[0]}_shape", shape)
    node.input[1] = f"{node.output[0]}_shape"


def _opset(model: onnx.ModelProto) -> int:
    return int(next(each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}))


def _const_nodes(graph: GraphProto, known: set[str]) -> Iterator[NodeProto]:
    """Nodes, in order, whose inputs are all known; their outputs become known."""
    for node in graph.node:
        if all(name in known for name in node.input):
            known.update(node.output)
            yield node


def _constants(graph: GraphProto) -> dict[str, NDArray[np.generic]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _value(graph: GraphProto, name: str) -> Array:
    return np.asarray(numpy_helper.to_array(next(tensor for tensor in graph.initializer if tensor.name == name)))


def _set_value(graph: GraphProto, name: str, value: NDArray[np.generic]) -> None:
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def _producer(graph: GraphProto, name: str) -> NodeProto | None:
    return next((node for node in graph.node if name in node.output), None)


def _consumers(graph: GraphProto, name: str) -> list[NodeProto]:
    return [node for node in graph.node if name in node.input]


def _only_consumer(graph: GraphProto, name: str, op_type: str) -> NodeProto:
    consumers = _consumers(graph, name)
    if [node.op_type for node in consumers] != [op_type]:
        raise ValueError(f"the compile step expects one {op_type} behind {name!r}, the graph has {consumers!r}")
    return consumers[0]


def _bypass(graph: GraphProto, op_type: str) -> None:
    """Take out nodes that pass their first input on (Dropout at inference)."""
    for node in [node for node in graph.node if node.op_type == op_type]:
        for consumer in _consumers(graph, node.output[0]):
            consumer.input[:] = [node.input[0] if name == node.output[0] else name for name in consumer.input]
        graph.node.remove(node)


def _replace_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def _drop_unused(graph: GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    kept = {tensor.name: tensor for tensor in graph.initializer if tensor.name in read}
    tensors = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept.values()]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
