"""Heads that are merged say what each of them said, and what is no such head stays as it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from models.compile_heads import merge_heads

Array = NDArray[np.float32]
TOLERANCE = 1e-4
FEATURES = 8


@dataclass(frozen=True)
class Head:
    """One head over the picture `of`; of one kernel it may differ from others."""

    name: str
    channels: int
    of: str = "x"
    kernel: int = 3
    depthwise: bool = True
    rows: int = -1
    bias: bool = True

    def nodes(self) -> Iterator[NodeProto]:
        pad = self.kernel // 2
        size = {"kernel_shape": [self.kernel] * 2, "pads": [pad] * 4}
        first = [self.of, f"{self.name}_w1", *([f"{self.name}_b1"] if self.bias else [])]
        yield helper.make_node("Conv", first, [f"{self.name}_1"], kernel_shape=[1, 1])
        second = [f"{self.name}_1", f"{self.name}_w2", f"{self.name}_b2"]
        groups = self.channels if self.depthwise else 1
        yield helper.make_node("Conv", second, [f"{self.name}_2"], group=groups, **size)
        yield helper.make_node("Transpose", [f"{self.name}_2"], [f"{self.name}_3"], perm=[0, 2, 3, 1])
        yield helper.make_node("Reshape", [f"{self.name}_3", f"{self.name}_shape"], [self.name])

    def constants(self, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
        across = 1 if self.depthwise else self.channels
        shapes = {
            "w1": (self.channels, FEATURES, 1, 1),
            "b1": (self.channels,),
            "w2": (self.channels, across, self.kernel, self.kernel),
            "b2": (self.channels,),
        }
        drawn = {f"{self.name}_{part}": rng.normal(size=size).astype(np.float32) for part, size in shapes.items()}
        return {**drawn, f"{self.name}_shape": np.array([0, self.rows, self.channels], np.int64)}


def graph_of(heads: list[Head], *, more_outputs: tuple[str, ...] = ()) -> GraphProto:
    """A graph over `x` and `y`, float (batch, 8, 6, 4), whose heads come kind by kind, as a detector's do."""
    rng = np.random.default_rng(3)
    nodes = [node for step in zip(*(head.nodes() for head in heads), strict=True) for node in step]
    held = [numpy_helper.from_array(v, k) for head in heads for k, v in head.constants(rng).items()]
    fed = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", FEATURES, 6, 4]) for name in ("x", "y")]
    ranks = {**{head.name: 3 for head in heads}, **dict.fromkeys(more_outputs, 4)}
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name, rank in ranks.items()]
    return helper.make_graph(nodes, "net", fed, given, held)


def run(graph: GraphProto) -> dict[str, Array]:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    fed = {name: rng.normal(size=(2, FEATURES, 6, 4)).astype(np.float32) for name in ("x", "y")}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, fed), strict=True))


def kinds(graph: GraphProto) -> list[str]:
    return [node.op_type for node in graph.node]


def merged(heads: list[Head], *, more_outputs: tuple[str, ...] = (), opset: int = 17) -> GraphProto:
    """The graph after the rewrite, which says what it said before."""
    graph = graph_of(heads, more_outputs=more_outputs)
    wanted = run(graph)
    merge_heads(graph, opset=opset)
    found = run(graph)
    assert list(found) == list(wanted)
    assert max(float(np.abs(found[name] - wanted[name]).max()) for name in wanted) < TOLERANCE
    return graph


def test_heads_of_one_picture_become_one_and_of_another_another() -> None:
    heads = [Head("score", 1), Head("other_score", 1, of="y"), Head("box", 4, bias=False), Head("other_box", 4, of="y")]
    graph = merged([*heads, Head("points", 10)])
    assert kinds(graph) == ["Conv", "Conv", "Transpose", "Reshape", "Split"] * 2
    assert {node.input[0] for node in graph.node if node.op_type == "Conv"} >= {"x", "y"}


@pytest.mark.parametrize(
    "odd",
    [Head("odd", 4, kernel=5), Head("odd", 4, depthwise=False), Head("odd", 4, rows=24), Head("odd", 4, of="y")],
    ids=["another-kernel", "not-depthwise", "a-fixed-number-of-places", "another-picture"],
)
def test_what_is_another_kind_of_head_stays(odd: Head) -> None:
    graph = merged([Head("score", 1), odd, Head("box", 4)])
    assert kinds(graph).count("Conv") == 4
    assert kinds(graph).count("Split") == 1


@pytest.mark.parametrize("name", ["box_1", "box_2", "box_3"])
def test_a_head_of_which_more_is_read_stays(name: str) -> None:
    assert "Split" not in kinds(merged([Head("score", 1), Head("box", 4)], more_outputs=(name,)))


def test_one_head_stays() -> None:
    assert "Split" not in kinds(merged([Head("score", 1)]))


def test_an_operator_set_that_splits_in_another_way_is_left_alone() -> None:
    assert "Split" not in kinds(merged([Head("score", 1), Head("box", 4)], opset=12))
