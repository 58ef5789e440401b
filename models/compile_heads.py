"""A detector's small heads on one picture of features, run as one: the same numbers up to rounding, in fewer kernels.

A head here is a 1 x 1 convolution, a depthwise one, and its channels laid last. Side by side their channels fill the
runtime's blocks, of which each alone fills a part (docs/decisions.md has what that gained).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from onnx import GraphProto, NodeProto, helper

from models.graph_edits import (
    Array,
    attribute,
    constant,
    constants,
    consumers,
    drop_unused,
    number,
    replace_nodes,
    set_constant,
)

SPLIT_FED = 13
"""Operator set from which Split is told sizes as an input, no longer as an attribute."""
LAID_LAST = [0, 2, 3, 1]


@dataclass(frozen=True, slots=True)
class Head:
    """The nodes of one head, in order; `channels` is how many values it gives for each place."""

    point: NodeProto
    depth: NodeProto
    lay: NodeProto
    shape: NodeProto
    channels: int

    @property
    def nodes(self) -> tuple[NodeProto, ...]:
        """All of them."""
        return self.point, self.depth, self.lay, self.shape


def merge_heads(graph: GraphProto, *, opset: int) -> None:
    """Let all heads that read one tensor alike be one, whose values are split in the end; other graphs stay."""
    if opset < SPLIT_FED:
        return
    outputs = {value.name for value in graph.output}
    heads = [head for node in graph.node if (head := _head(graph, node, outputs)) is not None]
    groups = [list(group) for _, group in groupby(sorted(heads, key=_kind), key=_kind)]
    gone: set[str] = set()
    instead: dict[str, list[NodeProto]] = {}
    for group in groups:
        if len(group) > 1:
            gone.update(node.output[0] for head in group for node in head.nodes)
            instead[group[0].point.output[0]] = list(_as_one(graph, group))
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.extend(instead.get(node.output[0], () if node.output[0] in gone else (node,)))
    replace_nodes(graph, nodes)
    drop_unused(graph)


def _head(graph: GraphProto, node: NodeProto, outputs: set[str]) -> Head | None:
    """The head that begins with a node; None if that is another kind of thing."""
    if node.op_type != "Conv" or not _is_point(node):
        return None
    chain = [node]
    for kind in ("Conv", "Transpose", "Reshape"):
        following = consumers(graph, chain[-1].output[0])
        if [each.op_type for each in following] != [kind] or chain[-1].output[0] in outputs:
            return None
        chain.append(following[0])
    point, depth, lay, shape = chain
    channels = len(constant(graph, point.input[1]))
    depthwise = number(depth, "group", 1) == channels and constant(graph, depth.input[1]).shape[:2] == (channels, 1)
    if not (depthwise and attribute(lay, "perm") == LAID_LAST and _lies(graph, shape) == [0, -1, channels]):
        return None
    return Head(point, depth, lay, shape, channels)


def _is_point(node: NodeProto) -> bool:
    """Whether a convolution looks at one place alone, each once."""
    kernel, strides, pads = (attribute(node, name) for name in ("kernel_shape", "strides", "pads"))
    here = kernel == [1, 1] and strides in (None, [1, 1]) and not any(pads or [])
    return here and number(node, "group", 1) == 1 and not any(each.name == "auto_pad" for each in node.attribute)


def _lies(graph: GraphProto, node: NodeProto) -> list[int] | None:
    """The shape that a Reshape is told, if it is a constant."""
    known = constants(graph).get(node.input[1])
    return None if known is None else [int(side) for side in known]


def _kind(head: Head) -> tuple[str, list[bytes]]:
    """What heads have in common that can be one: what they read, and how their second convolution goes over it."""
    stated = sorted(each.SerializeToString() for each in head.depth.attribute if each.name != "group")
    return head.point.input[0], stated


def _as_one(graph: GraphProto, heads: Sequence[Head]) -> Iterator[NodeProto]:
    name = f"{heads[0].point.output[0]}_heads"
    total = sum(head.channels for head in heads)
    yield _side_by_side(graph, [head.point for head in heads], heads[0].point.input[0], f"{name}_point", groups=1)
    yield _side_by_side(graph, [head.depth for head in heads], f"{name}_point", f"{name}_depth", groups=total)
    set_constant(graph, f"{name}_shape", np.array([0, -1, total], np.int64))
    set_constant(graph, f"{name}_channels", np.array([head.channels for head in heads], np.int64))
    yield helper.make_node("Transpose", [f"{name}_depth"], [f"{name}_laid"], perm=LAID_LAST)
    yield helper.make_node("Reshape", [f"{name}_laid", f"{name}_shape"], [f"{name}_values"])
    yield helper.make_node(
        "Split", [f"{name}_values", f"{name}_channels"], [head.shape.output[0] for head in heads], axis=2
    )


def _side_by_side(graph: GraphProto, members: Sequence[NodeProto], read: str, target: str, *, groups: int) -> NodeProto:
    """One convolution whose channels are those of all members, in their order; its other attributes are theirs."""
    set_constant(graph, f"{target}_weight", np.concatenate([constant(graph, member.input[1]) for member in members]))
    set_constant(graph, f"{target}_bias", np.concatenate([_bias(graph, member) for member in members]))
    merged = helper.make_node("Conv", [read, f"{target}_weight", f"{target}_bias"], [target], group=groups)
    merged.attribute.extend(each for each in members[0].attribute if each.name != "group")
    return merged


def _bias(graph: GraphProto, node: NodeProto) -> Array:
    """One value a channel; zeros where none is stated."""
    if len(node.input) > 2:  # noqa: PLR2004
        return constant(graph, node.input[2])
    return np.zeros(len(constant(graph, node.input[1])), np.float32)
