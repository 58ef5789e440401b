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

HEAD = ("Conv", "Conv", "Transpose", "Reshape")
"""A head of a detector: a point-wise convolution, a depthwise one, then anchors by row."""
CHANNELS = 3


def merge_heads(graph: GraphProto) -> None:
    """Let heads that read the same level run as one: their channels side by side, split at the end.

    Heads of one to ten channels each fill a block of channels (8 or 16) badly; together they fill it.
    """
    alike: dict[tuple[str, ...], list[list[NodeProto]]] = {}
    for node in graph.node:
        if (head := _head(graph, node)) is not None:
            alike.setdefault((node.input[0], *map(_manner, head)), []).append(head)
    for heads in alike.values():
        if len(heads) > 1:
            _merge(graph, heads)
    drop_unused(graph)


def rewrite_prelu(graph: GraphProto) -> None:
    """PReLU(x) = ReLU((1 - s) x) + s x where all s are below 1, else (1 - s) ReLU(x) + s x.

    Written as 1 x 1 depthwise convolutions, which keep the blocked layout; the runtime takes ReLU and sum into them.
    """
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.extend(_prelu_as_convolutions(graph, node) if node.op_type == "PRelu" else [node])
    replace_nodes(graph, nodes)
    drop_unused(graph)


def take_pictures(graph: GraphProto, entry: ModelEntry) -> None:
    """Feed uint8 (N, H, W, 3) BGR: channel order is turned in the first weights, rows are read as they lie."""
    fed = graph.input[0].name
    before, first = _first_convolution(graph, fed)
    if entry.channel_order == "rgb":
        _set_weight(graph, first, constant(graph, first.input[1])[:, ::-1])
    entrance = _as_rows if _rows_do(graph, first, before, entry) else _as_planes
    nodes = list(entrance(graph, entry, fed, first))
    replace_nodes(graph, [*nodes, *graph.node])
    del graph.input[:]
    shape = ["batch", *(entry.size or ("height", "width")), CHANNELS]
    graph.input.append(helper.make_tensor_value_info("pictures", TensorProto.UINT8, shape))
    drop_unused(graph)


def _head(graph: GraphProto, node: NodeProto) -> list[NodeProto] | None:
    """The four nodes of a head that begins with this one; None if it begins none."""
    chain = [node]
    while len(chain) < len(HEAD) and len(following := consumers(graph, chain[-1].output[0])) == 1:
        chain.append(following[0])
    if tuple(each.op_type for each in chain) != HEAD or any(len(each.input) != 3 for each in chain[:2]):  # noqa: PLR2004
        return None
    wide = constant(graph, chain[1].input[1])
    point_wise = attribute(node, "kernel_shape") == [1, 1] and number(node, "group", 1) == 1
    return chain if point_wise and wide.shape[1] == 1 and number(chain[1], "group", 1) == len(wide) else None


def _manner(node: NodeProto) -> str:
    """Everything that a node states about how it works, but for how many channels there are."""
    return " ".join(sorted(str(each) for each in node.attribute if each.name != "group"))


def _merge(graph: GraphProto, heads: Sequence[Sequence[NodeProto]]) -> None:
    whole = [NodeProto.FromString(node.SerializeToString()) for node in heads[0]]
    outputs = [head[-1].output[0] for head in heads]
    name = "+".join(outputs)
    widths = [len(constant(graph, head[1].input[1])) for head in heads]
    for place, convolution in enumerate(whole[:2]):
        for side, part in ((1, "weight"), (2, "bias")):
            set_constant(
                graph, f"{name}_{place}_{part}", np.concatenate([constant(graph, h[place].input[side]) for h in heads])
            )
            convolution.input[side] = f"{name}_{place}_{part}"
    next(each for each in whole[1].attribute if each.name == "group").i = sum(widths)
    shape = constant(graph, whole[3].input[1]).copy()
    shape[-1] = sum(widths)
    set_constant(graph, f"{name}_shape", shape)
    whole[3].input[1] = f"{name}_shape"
    for place, node in enumerate(whole):
        node.output[0] = f"{name}_{place}"
        if place:
            node.input[0] = f"{name}_{place - 1}"
    set_constant(graph, f"{name}_widths", np.array(widths, np.int64))
    split = helper.make_node("Split", [whole[-1].output[0], f"{name}_widths"], outputs, axis=2)
    merged = [node for head in heads for node in head]
    kept = [[node] if node not in merged else [] for node in graph.node]
    kept[next(place for place, node in enumerate(graph.node) if node in merged)] = [*whole, split]
    replace_nodes(graph, [node for some in kept for node in some])


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
    return scalars and plain and stated and alone and len(set(entry.mean)) == 1


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
    """(pixel - mean) * scale with the manifest's mean (in its channel order) and scale; nothing where it is neutral."""
    mean = np.array(entry.mean[::-1] if entry.channel_order == "rgb" else entry.mean, np.float32)
    yield helper.make_node("Cast", ["pictures_planes"], ["pictures_float"], to=TensorProto.FLOAT)
    if not mean.any() and entry.scale == 1.0:
        read_instead(graph, fed, "pictures_float")
        return
    uniform = len(set(entry.mean)) == 1
    set_constant(graph, "pictures_mean", mean[:1] if uniform else mean.reshape(1, CHANNELS, 1, 1))
    set_constant(graph, "pictures_scale", np.array(entry.scale, np.float32))
    yield helper.make_node("Sub", ["pictures_float", "pictures_mean"], ["pictures_centred"])
    yield helper.make_node("Mul", ["pictures_centred", "pictures_scale"], ["pictures_normal"])
    read_instead(graph, fed, "pictures_normal")


def _set_weight(graph: GraphProto, convolution: NodeProto, weight: Array) -> None:
    """Give a convolution weights of its own."""
    name = f"{convolution.input[1]}_turned"
    set_constant(graph, name, weight)
    convolution.input[1] = name
