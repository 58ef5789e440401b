"""Small edits of ONNX graphs: read and set constants, find neighbours, take nodes out."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[np.float32]


def constants(graph: GraphProto) -> dict[str, NDArray[np.generic]]:
    """All initialisers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def constant(graph: GraphProto, name: str) -> Array:
    """One initialiser. Raises StopIteration if there is none of that name."""
    return np.asarray(numpy_helper.to_array(next(tensor for tensor in graph.initializer if tensor.name == name)))


def set_constant(graph: GraphProto, name: str, content: NDArray[np.generic]) -> None:
    """Add an initialiser; where a name stands twice, the later one is kept by `drop_unused`."""
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(content), name))


def attribute(node: NodeProto, name: str) -> list[int] | None:
    """A node's attribute that is a list of integers; None if it is not stated."""
    return next((list(each.ints) for each in node.attribute if each.name == name), None)


def number(node: NodeProto, name: str, default: int) -> int:
    """A node's attribute that is an integer."""
    return next((int(each.i) for each in node.attribute if each.name == name), default)


def is_linear(node: NodeProto) -> bool:
    """Whether a node is a Gemm that computes x W' + b, a row of W for each output."""
    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    plain = given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0 and not given.get("transA")
    return bool(node.op_type == "Gemm" and plain and given.get("transB"))


def producer(graph: GraphProto, name: str) -> NodeProto | None:
    """The node that gives a tensor; None for inputs and constants."""
    return next((node for node in graph.node if name in node.output), None)


def consumers(graph: GraphProto, name: str) -> list[NodeProto]:
    """The nodes that read a tensor, in order."""
    return [node for node in graph.node if name in node.input]


def only_consumer(graph: GraphProto, name: str, op_type: str) -> NodeProto:
    """The one node that reads a tensor. Raises ValueError if it is another kind, or not one."""
    found = consumers(graph, name)
    if [node.op_type for node in found] != [op_type]:
        raise ValueError(f"the compile step expects one {op_type} behind {name!r}, the graph has {found!r}")
    return found[0]


def bypass(graph: GraphProto, op_type: str) -> None:
    """Take out nodes that pass their first input on (Dropout at inference)."""
    for node in [node for node in graph.node if node.op_type == op_type]:
        read_instead(graph, node.output[0], node.input[0])
        graph.node.remove(node)


def read_instead(graph: GraphProto, name: str, other: str) -> None:
    """Let all who read one tensor read another."""
    for node in consumers(graph, name):
        node.input[:] = [other if each == name else each for each in node.input]


def replace_nodes(graph: GraphProto, nodes: Iterable[NodeProto]) -> None:
    """Let the graph consist of these nodes, in this order."""
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def drop_unused(graph: GraphProto) -> None:
    """Drop initialisers that nothing reads."""
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = {tensor.name: tensor for tensor in graph.initializer if tensor.name in read}
    tensors = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept.values()]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
