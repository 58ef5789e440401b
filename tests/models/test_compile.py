"""Compiled graphs say what their sources say: beside plainly dequantised ones, OpenCV, and golden vectors.

Golden vectors are in `golden/<entry>.json`. After a wanted change of the arithmetic (and of the contract), write them
anew with `HEYAN_WRITE_GOLDEN=1 pytest tests/models/test_compile.py`.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.alignment import align
from models.compile import compile_model, dequantise, fold_batch_norms
from models.compile_kernels import rewrite_prelu
from models.engine import Engine
from models.image import decode_image
from models.manifest import load_manifest
from models.prepare import inventory
from models.session import load_network

GOLDEN = Path(__file__).parent / "golden"
ENTRIES = ("sface_2021dec", "yunet_2023mar")
TOLERANCE = 1e-4

Pictures = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]
Runner = Callable[[Pictures], Outputs]


@pytest.fixture(scope="session")
def sources(data_dir: Path) -> dict[str, bytes]:
    return {model.name: model.source.read_bytes() for model in inventory(data_dir, "open")}


@pytest.fixture(scope="session")
def compiled(sources: dict[str, bytes]) -> dict[str, bytes]:
    entries = load_manifest().models
    return {name: compile_model(source, entries[name]) for name, source in sources.items()}


@pytest.fixture(scope="session")
def faces(portraits: dict[str, bytes], engine: Engine) -> Pictures:
    """The six portraits aligned, (6, 112, 112, 3) BGR."""
    frames = [decode_image(photo) for photo in portraits.values()]
    return np.stack([align(frame, engine.single_face(frame)).pixels for frame in frames])


@pytest.fixture(scope="session")
def scenes(portraits: dict[str, bytes]) -> Pictures:
    """The six portraits as the detector sees them, (6, 320, 256, 3) BGR."""
    return np.stack([cv2.resize(decode_image(photo).pixels, (256, 320)) for photo in portraits.values()])


def run_compiled(content: bytes, pictures: Pictures) -> Outputs:
    network = load_network(content, provider="cpu", threads=1, warm_up=pictures.shape)
    return dict(zip(network.outputs, network.run(pictures), strict=True))


def run_plain(content: bytes, pictures: Pictures, *, channels: str) -> Outputs:
    """The source with its weights dequantised and nothing else done, fed as its authors feed it, one by one."""
    session = onnxruntime.InferenceSession(dequantise(content), providers=["CPUExecutionProvider"])
    ordered = pictures if channels == "bgr" else pictures[..., ::-1]
    fed = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2)).astype(np.float32)
    names = [output.name for output in session.get_outputs()]
    runs = [session.run(None, {session.get_inputs()[0].name: picture[None]}) for picture in fed]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*runs, strict=True), strict=True)}


def worst(one: Outputs, other: Outputs) -> float:
    assert set(one) == set(other)
    return max(float(np.abs(one[name].reshape(-1) - other[name].reshape(-1)).max()) for name in one)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_embeddings_agree_with_the_plain_source_on_real_faces(
    sources: dict[str, bytes], compiled: dict[str, bytes], faces: Pictures
) -> None:
    own = run_compiled(compiled["sface_2021dec"], faces)
    plain = run_plain(sources["sface_2021dec"], faces, channels="rgb")
    (name,) = own
    assert np.abs(unit(own[name]) - unit(plain[name])).max() < TOLERANCE


def test_detections_agree_with_the_plain_source_on_real_scenes(
    sources: dict[str, bytes], compiled: dict[str, bytes], scenes: Pictures
) -> None:
    for scene in scenes:
        square = cv2.resize(scene, (640, 640))[None]  # the only size that the source itself takes
        own = run_compiled(compiled["yunet_2023mar"], square)
        plain = run_plain(sources["yunet_2023mar"], square, channels="bgr")
        assert worst(own, plain) < TOLERANCE


def test_embeddings_agree_with_opencvs_own_engine(
    data_dir: Path, sources: dict[str, bytes], compiled: dict[str, bytes], faces: Pictures, tmp_path: Path
) -> None:
    """An independent implementation of the same weights; its layout of quantised blocks is its own."""
    path = tmp_path / "plain.onnx"
    path.write_bytes(dequantise(sources["sface_2021dec"]))
    recogniser = cv2.FaceRecognizerSF.create(str(path), "")
    theirs = np.concatenate([recogniser.feature(face) for face in faces])
    (ours,) = run_compiled(compiled["sface_2021dec"], faces).values()
    assert np.abs(unit(ours) - unit(theirs)).max() < 1e-3


@pytest.mark.parametrize("name", ENTRIES)
def test_golden_vectors_hold(compiled: dict[str, bytes], faces: Pictures, name: str) -> None:
    found = golden_of(compiled[name], name, faces)
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HEYAN_WRITE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    kept = json.loads(path.read_text("utf-8"))
    assert set(kept) == set(found)
    for output, values in kept.items():
        assert np.abs(np.array(values) - np.array(found[output])).max() < TOLERANCE, output


def golden_of(content: bytes, name: str, faces: Pictures) -> dict[str, Any]:
    """Numbers that stand for a network: its answer to noise, and for an embedder to a real face."""
    side = 112 if name.startswith("sface") else 128
    noise = np.random.default_rng(20).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    answers = {f"noise {key}": value for key, value in run_compiled(content, noise).items()}
    if name.startswith("sface"):
        answers["person_a_1"] = unit(next(iter(run_compiled(content, faces[:1]).values())))
    return {key: [round(float(number), 6) for number in _sample(value)] for key, value in answers.items()}


def _sample(values: NDArray[np.float32]) -> Sequence[float]:
    """Up to 128 numbers, evenly spread over the output; larger ones relative to its largest."""
    flat = values.reshape(-1)
    scale = max(1.0, float(np.abs(flat).max()))
    return list(flat[:: max(1, len(flat) // 128)][:128] / scale)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_graph_is_what_the_runtime_likes(compiled: dict[str, bytes], name: str) -> None:
    graph = onnx.load_from_string(compiled[name]).graph
    kinds = {node.op_type for node in graph.node}
    assert kinds.isdisjoint({"PRelu", "DequantizeLinear", "QuantizeLinear", "BatchNormalization", "Dropout"})
    assert [value.name for value in graph.input] == ["pictures"]


@pytest.mark.parametrize(("name", "pictures"), [("sface_2021dec", "faces"), ("yunet_2023mar", "scenes")])
def test_several_pictures_at_once_are_as_each_by_itself(
    compiled: dict[str, bytes], name: str, pictures: str, request: pytest.FixtureRequest
) -> None:
    batch = request.getfixturevalue(pictures)
    together = run_compiled(compiled[name], batch)
    for place in range(len(batch)):
        alone = run_compiled(compiled[name], batch[place : place + 1])
        assert max(np.abs(together[key][place] - alone[key][0]).max() for key in alone) < TOLERANCE


@pytest.mark.parametrize("size", [(32, 32), (320, 256), (160, 480), (640, 640)])
def test_the_detector_takes_any_multiple_of_32(compiled: dict[str, bytes], size: tuple[int, int]) -> None:
    height, width = size
    outputs = run_compiled(compiled["yunet_2023mar"], np.zeros((1, height, width, 3), np.uint8))
    assert {outputs[f"cls_{stride}"].shape[1] for stride in (8, 16, 32)} == {
        (height // stride) * (width // stride) for stride in (8, 16, 32)
    }


def test_compiling_twice_gives_the_same_bytes(sources: dict[str, bytes], compiled: dict[str, bytes]) -> None:
    for name in ENTRIES:
        assert compile_model(sources[name], load_manifest().models[name]) == compiled[name]


def graph_of(*nodes: onnx.NodeProto, shape: Sequence[int], **weights: NDArray[np.float32]) -> onnx.GraphProto:
    fed, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "out"))
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    return helper.make_graph(list(nodes), "graph", [fed], [out], held)


@pytest.mark.parametrize(("transposed", "kept"), [(1, []), (0, ["BatchNormalization"])])
def test_a_norm_is_folded_only_into_rows_that_make_outputs(transposed: int, kept: list[str]) -> None:
    ones = np.ones(3, np.float32)
    graph = graph_of(
        helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], transB=transposed),
        helper.make_node("BatchNormalization", ["y", "scale", "bias", "mean", "variance"], ["out"]),
        shape=[1, 3],
        weight=np.arange(9, dtype=np.float32).reshape(3, 3),
        bias=ones,
        scale=np.array([1, 2, 3], np.float32),
        mean=0 * ones,
        variance=ones,
    )
    before = run_graph(graph)
    fold_batch_norms(graph)
    assert [node.op_type for node in graph.node] == ["Gemm", *kept]
    assert np.allclose(run_graph(graph), before, atol=1e-5)


@pytest.mark.parametrize(("slopes", "kept"), [([0.1], True), ([0.1, 0.2, 0.3], False)])
def test_a_prelu_is_rewritten_only_where_each_channel_has_its_slope(slopes: list[float], kept: bool) -> None:
    slope = np.array(slopes, np.float32).reshape(-1, 1, 1)
    graph = graph_of(helper.make_node("PRelu", ["x", "slope"], ["out"]), shape=[1, 3, 2, 2], slope=slope)
    before = run_graph(graph)
    rewrite_prelu(graph)
    assert ("PRelu" in [node.op_type for node in graph.node]) == kept
    assert np.allclose(run_graph(graph), before, atol=1e-6)


def run_graph(graph: onnx.GraphProto) -> NDArray[np.float32]:
    sides = [side.dim_value for side in graph.input[0].type.tensor_type.shape.dim]
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    fed = np.linspace(-2, 2, int(np.prod(sides)), dtype=np.float32).reshape(sides)
    return np.asarray(session.run(None, {"x": fed})[0])
