"""Rewrites for the runtime's kernels: the same numbers up to rounding, in fewer passes over memory.

ONNX Runtime on CPU keeps activations in blocks of channels (NCHWc) as long as it meets convolutions, and takes a ReLU
or a sum behind one into its own pass (docs/decisions.md has what each rewrite gained).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper

from models.graph_edits import (
    Array,
    attribute,
    constant,
    consumers,
    drop_unused,
    number,
    producer,
    read_instead,
    replace_nodes,
    set_constant,
)
from models.manifest import ModelEntry

CHANNELS = 3
AXES_FED = 13
"""Operator set from which Unsqueeze is told axes as an input, no longer as an attribute."""


def rewrite_prelu(graph: GraphProto) -> None:
    """PReLU(x) = ReLU((1 - s) x) + s x where all s are below 1, else (1 - s) ReLU(x) + s x.

    Written as 1 x 1 depthwise convolutions, which keep the blocked layout; the runtime takes ReLU and sum into them.
    Where each channel of a picture has a slope of its own; any other PReLU stays as it is.
    """
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.extend(_prelu_as_convolutions(graph, node) if _slopes_by_channel(graph, node) else [node])
    replace_nodes(graph, nodes)
    drop_unused(graph)


def take_pictures(graph: GraphProto, *, entry: ModelEntry, opset: int) -> None:
    """Feed uint8 (N, H, W, 3) BGR, whose channel order is turned in the first weights; by rows where the graph can."""
    fed = graph.input[0].name
    before, first = _first_convolution(graph, fed)
    if entry.channel_order == "rgb":
        _set_weight(graph, first, constant(graph, first.input[1])[:, ::-1])
    by_rows = opset >= AXES_FED and _rows_do(graph, first, before, entry)
    entrance = _as_rows if by_rows else _as_planes
    nodes = list(entrance(graph, entry, fed, first))
    replace_nodes(graph, [*nodes, *graph.node])
    del graph.input[:]
    shape = ["batch", *(entry.size or ("height", "width")), CHANNELS]
    graph.input.append(helper.make_tensor_value_info("pictures", TensorProto.UINT8, shape))
    drop_unused(graph)


def _slopes_by_channel(graph: GraphProto, node: NodeProto) -> bool:
    if node.op_type != "PRelu":
        return False
    shape = constant(graph, node.input[1]).shape
    return len(shape) >= 3 and shape[-3] > 1 and shape[-3] == int(np.prod(shape))  # noqa: PLR2004


def _prelu_as_convolutions(graph: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
    slope = constant(graph, node.input[1]).reshape(-1)
    source, target = node.input[0], node.output[0]

    def scaled(part: str, weight: Array, read: str) -> NodeProto:
        set_constant(graph, f"{target}_{part}_weight", weight.reshape(-1, 1, 1, 1))
        inputs = [read, f"{target}_{part}_weight"]
        return helper.make_node("Conv", inputs, [f"{target}_{part}"], group=len(slope), kernel_shape=[1, 1])

    if (slope < 1).all():
        yield scaled("more", 1 - slope, source)
        yield helper.make_node("Relu", [f"{target}_more"], [f"{target}_positive"])
    else:
        yield helper.make_node("Relu", [source], [f"{target}_relu"])
        yield scaled("positive", 1 - slope, f"{target}_relu")
    yield scaled("all", slope, source)
    yield helper.make_node("Add", [f"{target}_positive", f"{target}_all"], [target])


def _first_convolution(graph: GraphProto, fed: str) -> tuple[list[NodeProto], NodeProto]:
    """What stands between the input and the first convolution that it reaches, and that convolution."""
    first = next(node for node in graph.node if node.op_type == "Conv")
    before: list[NodeProto] = []
    name = first.input[0]
    while name != fed and (node := producer(graph, name)) is not None:
        before.append(node)
        name = node.input[0]
    return before, first


def _rows_do(graph: GraphProto, first: NodeProto, before: Sequence[NodeProto], entry: ModelEntry) -> bool:
    """Whether nothing before the first convolution tells channels apart, and it is one that can read rows."""
    known = {tensor.name for tensor in graph.initializer}
    scalars = all(
        node.op_type in {"Sub", "Mul", "Add", "Div"}
        and all(constant(graph, name).size == 1 for name in node.input if name in known)
        for node in before
    )
    plain = number(first, "group", 1) == 1 and attribute(first, "dilations") in (None, [1, 1])
    stated = attribute(first, "pads") is not None and not any(each.name == "auto_pad" for each in first.attribute)
    alone = all(len(consumers(graph, node.output[0])) == 1 for node in before)
    return scalars and plain and stated and alone and _same_for_all(entry.mean) and _same_for_all(entry.scale)


def _same_for_all(values: float | Sequence[float]) -> bool:
    """Whether one value holds for all channels."""
    return not isinstance(values, Sequence) or len(set(values)) == 1


def _as_rows(graph: GraphProto, entry: ModelEntry, fed: str, first: NodeProto) -> Iterator[NodeProto]:
    """Pictures as one plane of H rows and 3 W columns: nothing is transposed, the first kernel is three times as wide.

    A kernel (O, 3, h, w) becomes (O, 1, h, 3 w) with the channels of a column side by side; its stride and padding
    across become threefold too.
    """
    kernel = constant(graph, first.input[1])
    _set_weight(graph, first, kernel.transpose(0, 2, 3, 1).reshape(len(kernel), 1, kernel.shape[2], -1))
    top, left, bottom, right = attribute(first, "pads") or [0, 0, 0, 0]
    down, across = attribute(first, "strides") or [1, 1]
    kept = [each for each in first.attribute if each.name not in {"kernel_shape", "pads", "strides"}]
    stated = {
        "kernel_shape": [kernel.shape[2], CHANNELS * kernel.shape[3]],
        "pads": [top, CHANNELS * left, bottom, CHANNELS * right],
        "strides": [down, CHANNELS * across],
    }
    replaced = [*kept, *(helper.make_attribute(name, value) for name, value in stated.items())]
    del first.attribute[:]
    first.attribute.extend(replaced)
    set_constant(graph, "pictures_rows_shape", np.array([0, 0, -1], np.int64))
    set_constant(graph, "pictures_plane", np.array([1], np.int64))
    yield helper.make_node("Reshape", ["pictures", "pictures_rows_shape"], ["pictures_rows"])
    yield helper.make_node("Unsqueeze", ["pictures_rows", "pictures_plane"], ["pictures_planes"])
    yield from _cast_and_normalise(graph, entry, fed)


def _as_planes(graph: GraphProto, entry: ModelEntry, fed: str, _first: NodeProto) -> Iterator[NodeProto]:
    yield helper.make_node("Transpose", ["pictures"], ["pictures_planes"], perm=[0, 3, 1, 2])
    yield from _cast_and_normalise(graph, entry, fed)


def _cast_and_normalise(graph: GraphProto, entry: ModelEntry, fed: str) -> Iterator[NodeProto]:
    """(pixel - mean) * scale with the manifest's values (in its channel order); nothing where they are neutral."""
    yield helper.make_node("Cast", ["pictures_planes"], ["pictures_float"], to=TensorProto.FLOAT)
    if not any(entry.mean) and entry.scale == 1.0:
        read_instead(graph, fed, "pictures_float")
        return
    set_constant(graph, "pictures_mean", _by_channel(entry.mean, entry))
    set_constant(graph, "pictures_scale", _by_channel(entry.scale, entry))
    yield helper.make_node("Sub", ["pictures_float", "pictures_mean"], ["pictures_centred"])
    yield helper.make_node("Mul", ["pictures_centred", "pictures_scale"], ["pictures_normal"])
    read_instead(graph, fed, "pictures_normal")


def _by_channel(values: float | Sequence[float], entry: ModelEntry) -> Array:
    """One value (1,) where it holds for all channels, else one for each (1, 3, 1, 1), in the order of the pictures."""
    given = np.array(values, np.float32).reshape(-1)
    if _same_for_all(values):
        return given[:1]
    return given[:: -1 if entry.channel_order == "rgb" else 1].reshape(1, CHANNELS, 1, 1)


def _set_weight(graph: GraphProto, convolution: NodeProto, weight: Array) -> None:
    """Give a convolution weights of its own."""
    name = f"{convolution.input[1]}_turned"
    set_constant(graph, name, weight)
    convolution.input[1] = name
