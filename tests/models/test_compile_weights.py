"""Weights in 8 bits: what becomes of them, which layers have them, and what is kept of a trial."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from models.compile_weights import BLOCK, LARGE, in_bytes, narrow_weights
from models.engine import Engine
from models.errors import ModelError
from models.prepare import PreparedModel, inventory, prepare, read_compiled, verify_files
from models.processor import processor_name
from models.session import runtime_info
from models.weight_trial import LEAST_COSINE, WORTH, WeightTrial, read_trial, try_weights

EMBEDDER = "sface_2021dec"
ROWS, COLUMNS = 128, LARGE // 128

CHOSEN = WeightTrial(processor=processor_name(), onnxruntime=runtime_info()["onnxruntime"], time=0.9, cosine=1.0)


def model_of(*nodes: NodeProto, columns: int = COLUMNS, outputs: tuple[str, ...] = ("answer",)) -> bytes:
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(ROWS, columns)), rng.normal(size=ROWS)
    graph: GraphProto = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("fed", TensorProto.FLOAT, ["batch", columns])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "values"]) for name in outputs],
        [numpy_helper.from_array(each.astype(np.float32), name) for name, each in (("w", weight), ("b", bias))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def layer(*, read: str = "fed", gives: str = "answer", **attributes: int) -> NodeProto:
    return helper.make_node("Gemm", [read, "w", "b"], [gives], **({"transB": 1} | attributes))


def kinds(content: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_no_weight_moves_by_more_than_half_a_step_of_its_block(seed: int, size: float) -> None:
    weight = (size * np.random.default_rng(seed).standard_cauchy((3, 4 * BLOCK))).astype(np.float32)
    weight[1] = 0
    steps, scales = in_bytes(weight)
    back = (steps.astype(np.float64) - 128) * scales[..., None]
    moved = np.abs(back - weight.reshape(back.shape))
    assert (moved <= 0.501 * scales[..., None]).all()
    assert (back[1] == 0).all()


def test_a_large_layer_is_a_bit_more_than_a_quarter_of_its_size() -> None:
    wide = model_of(layer())
    narrow = narrow_weights(wide)
    assert narrow is not None
    assert kinds(narrow) == ["MatMulNBits"]
    assert len(narrow) < 0.3 * len(wide)


@pytest.mark.parametrize(
    "other",
    [
        model_of(layer(), columns=COLUMNS // 2),
        model_of(layer(), columns=COLUMNS + 1),
        model_of(layer(alpha=2.0)),
        model_of(layer(), layer(gives="again"), outputs=("answer", "again")),
        model_of(helper.make_node("Relu", ["fed"], ["answer"])),
    ],
    ids=["small", "no whole blocks", "scaled", "weights read twice", "no layer"],
)
def test_other_layers_stay(other: bytes) -> None:
    assert narrow_weights(other) is None


def test_the_embedder_says_the_same_in_a_smaller_file(data_dir: Path) -> None:
    wide = embedder(data_dir).compiled.read_bytes()
    narrow = narrow_weights(wide)
    assert narrow is not None
    assert len(narrow) < 0.6 * len(wide)
    trial = try_weights(wide, narrow)
    assert trial.cosine > LEAST_COSINE
    assert trial.time > 0
    assert trial.of_here


def test_a_runtime_that_refuses_the_copy_leaves_the_whole_network_in_use(data_dir: Path) -> None:
    wide = embedder(data_dir).compiled.read_bytes()
    assert not try_weights(wide, b"nothing that this runtime knows").chosen
    with pytest.raises(ModelError):
        try_weights(b"nothing that this runtime knows", wide)


def test_a_network_without_large_layers_has_nothing_to_try() -> None:
    assert not try_weights(b"", None).chosen


@pytest.mark.parametrize(
    ("time", "cosine", "chosen"),
    [(WORTH, LEAST_COSINE, True), (0.98, 1.0, False), (0.5, 0.999, False), (nan, 1.0, False), (0.5, nan, False)],
)
def test_only_what_is_faster_and_says_the_same_is_chosen(time: float, cosine: float, *, chosen: bool) -> None:
    assert replace(CHOSEN, time=time, cosine=cosine).chosen == chosen


def test_another_processor_or_runtime_is_another_trial() -> None:
    assert CHOSEN.of_here
    assert not replace(CHOSEN, processor="another").of_here
    assert not replace(CHOSEN, onnxruntime="0.1").of_here


@pytest.mark.parametrize("content", [b"", b"{", b'{"time": 0.5}', b'{"time": "fast"}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trial.json"
    assert read_trial(path) is None
    path.write_bytes(content)
    assert read_trial(path) is None


def test_the_processor_runs_what_was_chosen_and_others_the_whole(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weight_trial.WORTH", inf)
    prepare(tmp_path, directory=sources(data_dir))
    model = embedder(tmp_path)
    assert model.runs_on("cpu") == model.narrow
    assert model.runs_on("cuda") == model.compiled
    assert "MatMulNBits" in kinds(read_compiled(tmp_path, "open", EMBEDDER, provider="cpu"))
    assert "MatMulNBits" not in kinds(read_compiled(tmp_path, "open", EMBEDDER, provider="openvino"))
    assert Engine.open(data_dir=tmp_path).contract == Engine.open(data_dir=data_dir).contract


def test_a_copy_that_is_damaged_is_found_and_mended(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weight_trial.WORTH", inf)
    prepare(tmp_path, directory=sources(data_dir))
    embedder(tmp_path).narrow.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged") as caught:
        read_compiled(tmp_path, "open", EMBEDDER, provider="cpu")
    assert caught.value.code == "model_checksum_mismatch"
    assert "8bit" in str(dict(faults(tmp_path))[EMBEDDER])
    prepare(tmp_path, directory=sources(data_dir))
    assert set(dict(faults(tmp_path)).values()) == {None}


def test_what_gains_nothing_is_not_used_and_another_machine_tries_again(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weight_trial.WORTH", 0.0)
    prepare(tmp_path, directory=sources(data_dir))
    model = embedder(tmp_path)
    assert model.runs_on("cpu") == model.compiled
    assert not model.narrow.exists()
    made = model.trial_record.read_bytes()
    prepare(tmp_path, directory=sources(data_dir))
    assert model.trial_record.read_bytes() == made, "it is tried once"
    model.trial_record.write_bytes(made.replace(processor_name().encode(), b"another"))
    prepare(tmp_path, directory=sources(data_dir))
    assert model.trial is not None
    assert model.trial.of_here


def embedder(data_dir: Path) -> PreparedModel:
    return next(model for model in inventory(data_dir, "open") if model.name == EMBEDDER)


def sources(data_dir: Path) -> Path:
    return data_dir / "models" / "sources"


def faults(data_dir: Path) -> Iterator[tuple[str, str | None]]:
    yield from ((model.name, fault) for model, fault in verify_files(data_dir, "open"))
