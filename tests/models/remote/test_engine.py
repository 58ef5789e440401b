"""An engine whose networks are elsewhere: the same numbers, or a clear refusal."""

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from farm_double import HandleDouble, farm_of
from tiny_pack import write_pack

from benchmarks.phone.casting import living
from benchmarks.phone.offline import Offline
from liveness.challenge import draw_challenge
from models.detection import Face
from models.engine import Engine
from models.errors import EngineUnavailableError, ModelError
from models.image import Frame, decode_image
from models.prepare import prepare
from models.remote.engine import open_remote_engine
from models.remote.network import Answer, Task
from models.remote.serving import Served, ServingOptions
from verify.evidence import Evidence
from verify.live import LiveSession
from verify.policy import load_policy

MARKS = [[65, 80], [95, 80], [80, 95], [68, 112], [92, 112]]
"""Landmarks of a face, wherever: a pack that a test makes up finds none in photos."""


@pytest.fixture
def handle(engine: Engine) -> HandleDouble:
    return HandleDouble(Served.of(engine))


def opened(handle: HandleDouble, folder: Path, pack: str = "open") -> Engine:
    """On a node that has no weights."""
    return open_remote_engine(farm_of(handle), data_dir=folder, pack=pack)


def evidence_of(engine: Engine, portraits: dict[str, bytes], performer: Engine) -> Evidence:
    rng = Random(5)
    session = LiveSession(
        engine=engine,
        challenge=draw_challenge(rng),
        reference=engine.reference(decode_image(portraits["person_b_1"])),
        policy=load_policy(),
        started_at=0.0,
    )
    return Offline(living(portraits["person_b_2"], engine=performer, rng=rng), session, rng).run()


def spoiling(task: Task, change: Any) -> Any:
    """Changes the outputs of one task."""
    return lambda asked, answer: (answer[0], change(answer[1])) if asked == task else answer


def test_faces_and_embeddings_are_the_local_ones(
    handle: HandleDouble, engine: Engine, portraits: dict[str, bytes], tmp_path: Path
) -> None:
    remote = opened(handle, tmp_path)
    for photo in portraits.values():
        frame = decode_image(photo)
        here, there = engine.single_face(frame), remote.single_face(frame)
        assert np.array_equal(here.box, there.box)
        assert np.array_equal(here.landmarks, there.landmarks)
        assert np.array_equal(engine.reference(frame).vector, remote.reference(frame).vector)
        assert engine.live_logit(frame, here) == remote.live_logit(frame, there)
    assert list(tmp_path.iterdir()) == []


def test_a_session_ends_with_the_same_evidence(
    handle: HandleDouble, engine: Engine, portraits: dict[str, bytes], tmp_path: Path
) -> None:
    here = evidence_of(engine, portraits, engine)
    assert here.compared_frames > 4
    assert evidence_of(opened(handle, tmp_path), portraits, engine) == here


def test_it_says_where_it_runs(handle: HandleDouble, engine: Engine, tmp_path: Path) -> None:
    remote = opened(handle, tmp_path)
    assert remote.describe()["provider"] == f"ray ({engine.embedder.network.provider})"
    assert remote.entries == engine.entries
    remote.check()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pack": "insightface:buffalo_l"}, "its pack is 'insightface:buffalo_l'"),
        ({"contract": "other/1"}, "its contract is 'other/1'"),
        ({"interface": 2}, "its interface is 2"),
        ({"weights": {"sface_2021dec": "0" * 64}}, "other weights of 'sface_2021dec'"),
        ({"prepared": {"sface_2021dec": "0" * 64}}, "other preprocessing or another compiler for 'sface_2021dec'"),
    ],
)
def test_another_deployment_is_refused_at_start(
    handle: HandleDouble, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    identity = handle.served.identity
    merged = {
        name: {**getattr(identity, name), **value} if isinstance(value, dict) else value
        for name, value in change.items()
    }
    handle.served = replace(handle.served, identity=replace(identity, **merged))
    with pytest.raises(ModelError, match=named) as caught:
        opened(handle, tmp_path)
    assert caught.value.code == "engine_mismatch"


def test_a_deployment_that_is_replaced_later_is_refused_with_its_first_answer(
    handle: HandleDouble, portraits: dict[str, bytes], tmp_path: Path
) -> None:
    remote = opened(handle, tmp_path)
    handle.served = replace(handle.served, identity=replace(handle.served.identity, contract="other/1"))
    for ask in (remote.check, lambda: remote.probe(decode_image(portraits["person_a_1"]))):
        with pytest.raises(ModelError) as caught:
            ask()
        assert caught.value.code == "engine_mismatch"


def test_a_description_that_cannot_be_read_is_refused(handle: HandleDouble, tmp_path: Path) -> None:
    handle._describe = lambda: {"identity": "mine"}  # type: ignore[method-assign]
    with pytest.raises(ModelError) as caught:
        opened(handle, tmp_path)
    assert caught.value.code == "engine_answer_invalid"


@pytest.mark.parametrize(
    "fault",
    [
        ("embedding", lambda outputs: [np.full_like(each, np.nan) for each in outputs], "embedding_not_finite"),
        ("attack_detection", lambda outputs: [np.full_like(each, np.nan) for each in outputs], "logit_not_finite"),
        ("embedding", lambda outputs: [each[:0] for each in outputs], "engine_answer_invalid"),
        ("embedding", lambda _: [], "engine_answer_invalid"),
        ("embedding", lambda outputs: [each.astype(np.float64) for each in outputs], "engine_answer_invalid"),
        ("embedding", lambda outputs: ["text" for _ in outputs], "engine_answer_invalid"),
        ("detection", lambda outputs: outputs[1:], "engine_answer_invalid"),
        ("detection", lambda outputs: [each[:, :7] for each in outputs[:3]] + outputs[3:], "engine_answer_invalid"),
        ("detection", lambda outputs: [each[0, 0] for each in outputs], "engine_answer_invalid"),
    ],
)
def test_an_answer_that_cannot_be_meant_has_a_code(
    handle: HandleDouble, portraits: dict[str, bytes], tmp_path: Path, fault: tuple[Task, Any, str]
) -> None:
    task, change, code = fault
    remote, frame = opened(handle, tmp_path), decode_image(portraits["person_a_1"])
    face = remote.single_face(frame)
    handle.spoil = spoiling(task, change)
    asked = {
        "embedding": lambda: remote.embed(frame, face),
        "attack_detection": lambda: remote.live_logit(frame, face),
        "detection": lambda: remote.detect(frame),
    }
    with pytest.raises(ModelError) as caught:
        asked[task]()
    assert caught.value.code == code


def test_a_detector_without_finite_numbers_finds_nobody(
    handle: HandleDouble, portraits: dict[str, bytes], tmp_path: Path
) -> None:
    remote = opened(handle, tmp_path)
    handle.spoil = spoiling("detection", lambda outputs: [np.full_like(each, np.nan) for each in outputs])
    assert remote.detect(decode_image(portraits["person_a_1"])) == ()


def test_who_does_not_answer_in_time_is_unavailable(handle: HandleDouble, tmp_path: Path) -> None:
    remote = opened(handle, tmp_path)
    handle.answers_after = 2.5
    with pytest.raises(EngineUnavailableError, match="HEYAN_RAY_SECONDS") as caught:
        remote.detect(Frame(np.zeros((320, 320, 3), np.uint8)))
    assert (caught.value.code, caught.value.retry_after) == ("engine_unavailable", 5.0)
    assert handle.responses[-1].cancelled
    handle.answers_after = 1.0
    assert remote.detect(Frame(np.zeros((320, 320, 3), np.uint8))) == ()


@pytest.mark.parametrize("dead", [ConnectionError("refused"), RuntimeError(), KeyError("replica")])
def test_a_cluster_that_is_gone_is_unavailable(handle: HandleDouble, tmp_path: Path, dead: Exception) -> None:
    handle.dead = dead
    with pytest.raises(EngineUnavailableError, match=type(dead).__name__) as caught:
        opened(handle, tmp_path)
    assert caught.value.reason == str(dead)
    assert "refused" not in str(caught.value)


def test_a_pack_that_compares_no_faces_is_named(handle: HandleDouble, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        opened(handle, tmp_path, pack="minifasnet")
    assert caught.value.code == "pack_unknown"


def test_of_a_pack_of_their_own_nodes_need_no_weights(portraits: dict[str, bytes], tmp_path: Path) -> None:
    farm, node = write_pack(tmp_path / "farm"), tmp_path / "node"
    prepare(tmp_path / "data", str(farm))
    node.mkdir()
    shutil.copy(farm / "heyan-pack.toml", node)
    served = Served.open(ServingOptions(pack=str(farm), data_dir=str(tmp_path / "data")))
    remote = opened(HandleDouble(served), tmp_path, pack=str(node))
    local = Engine.open(data_dir=tmp_path / "data", pack=str(farm))
    frame = decode_image(portraits["person_a_1"])
    face = Face(np.array([50, 50, 60, 80], np.float32), np.array(MARKS, np.float32), 0.9)
    assert np.array_equal(remote.embed(frame, face).vector, local.embed(frame, face).vector)
    assert remote.contract == local.contract


def test_an_answer_carries_the_digest_of_who_computed_it(handle: HandleDouble) -> None:
    answer: Answer = handle.served.answer("embedding", [np.zeros((1, 112, 112, 3), np.uint8)])[0]
    assert answer[0] == handle.served.identity.digest
    assert len(answer[0]) == 64
