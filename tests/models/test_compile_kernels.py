"""Rewrites for the runtime's kernels say what the graph said before, whatever its shapes and constants."""

from dataclasses import replace
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from models.compile_kernels import rewrite_prelu, take_pictures
from models.manifest import load_manifest

Array = NDArray[np.float32]
Constants = dict[str, NDArray[np.generic]]
TOLERANCE = 1e-4
slopes = st.lists(st.floats(-2, 2, width=32), min_size=4, max_size=4)


def graph_of(
    nodes: list[NodeProto], constants: Constants, outputs: list[str], *, channels: int, rank: int = 4
) -> GraphProto:
    """A graph that takes `x`, float (1, channels, 8, 6)."""
    fed = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 6])
    given_out = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name in outputs]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return helper.make_graph(nodes, "net", [fed], given_out, held)


def run(graph: GraphProto, fed: NDArray[np.generic]) -> list[Array]:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: fed}))


def noise(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def kinds(graph: GraphProto) -> list[str]:
    return [node.op_type for node in graph.node]


@given(slopes)
@settings(max_examples=30, deadline=None)
def test_a_prelu_of_any_slopes_is_the_same_as_convolutions(each: list[float]) -> None:
    slope = np.array(each, np.float32).reshape(4, 1, 1)
    graph = graph_of([helper.make_node("PRelu", ["x", "slope"], ["y"])], {"slope": slope}, ["y"], channels=4)
    fed = noise(1, 4, 8, 6)
    rewrite_prelu(graph)
    (found,) = run(graph, fed)
    assert "PRelu" not in kinds(graph)
    assert np.abs(found - np.where(fed > 0, fed, slope * fed)).max() < TOLERANCE


@pytest.mark.parametrize("model", ["sface_2021dec", "yunet_2023mar"])
@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (127.5, 127.5, 127.5), (104.0, 117.0, 123.0)])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize(
    "convolution", [(3, 2, (1, 1, 1, 1)), (3, 1, (0, 0, 0, 0)), (5, 2, (2, 1, 1, 2))], ids=["3/2", "3/1", "5/2"]
)
def test_pictures_are_taken_as_they_lie(
    model: str,
    mean: tuple[float, float, float],
    order: Literal["rgb", "bgr"],
    convolution: tuple[int, int, tuple[int, ...]],
) -> None:
    """Whether read as rows or as planes: the answer is that of the source, fed as its authors feed it."""
    kernel, stride, pads = convolution
    size = [kernel, kernel]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=size, strides=[stride, stride], pads=pads)
    constants: Constants = {"w": noise(4, 3, kernel, kernel), "b": noise(4)}
    scale = 1.0 if not any(mean) else 1 / 128
    entry = replace(load_manifest().models[model], channel_order=order, mean=mean, scale=scale, size=(8, 6))
    pictures = np.random.default_rng(2).integers(0, 256, (1, 8, 6, 3), dtype=np.uint8)
    ordered = pictures if order == "bgr" else pictures[..., ::-1]
    planes = (ordered.astype(np.float32) - np.array(mean, np.float32)) * np.float32(scale)
    (wanted,) = run(graph_of([node], constants, ["y"], channels=3), np.ascontiguousarray(planes.transpose(0, 3, 1, 2)))
    graph = graph_of([node], constants, ["y"], channels=3)
    take_pictures(graph, entry=entry, opset=17)
    (found,) = run(graph, pictures)
    assert ("Transpose" in kinds(graph)) == (len(set(mean)) > 1)
    assert np.abs(found - wanted).max() < TOLERANCE * max(1.0, float(np.abs(wanted).max()))
