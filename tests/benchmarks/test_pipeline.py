import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.phone.replay import record_session
from benchmarks.recorded import recording
from benchmarks.timing import Timed, interleaved, median_ratio
from models.embedding import cosine
from models.engine import Engine
from models.image import decode_image
from verify.decision import Accepted, decide
from verify.policy import load_policy


def test_the_bench_writes_its_figures(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = CliRunner().invoke(app, ["pipeline", "--rounds", "3", "--json", str(figures)])
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    for name in ("640", "2mp", "live_frame"):
        assert content[f"ratio_{name}"] > 0
        assert content["stages_ms"][name]["whole"] > 0
        assert content["stages_ms"][name]["bare"] > 0
    assert content["machine"]["engine"]["threads"] == "1"
    assert 0 < content["cpu_s_live_verification"] < 60


def test_a_recorded_session_passes_again(portraits: dict[str, bytes], engine: Engine) -> None:
    replay = record_session(portraits["person_a_1"], engine=engine, seed=1)
    session = replay.feed(engine)
    assert session.finished
    assert decide(session.evidence(), load_policy()) == Accepted()


def test_recording_changes_nothing_and_keeps_every_run(portraits: dict[str, bytes], engine: Engine) -> None:
    frame = decode_image(portraits["person_a_1"])
    recorded = recording(engine)
    assert cosine(recorded.engine.reference(frame), engine.reference(frame)) == pytest.approx(1.0)
    assert [pictures.shape[1:3] for _, pictures in recorded.runs][-1] == (112, 112)


def test_rounds_are_interleaved_after_a_warm_up() -> None:
    order: list[str] = []
    interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, advance=lambda: None)
    assert "".join(order) == "ab" * 5


def test_a_ratio_is_taken_round_by_round() -> None:
    assert median_ratio(Timed((2.0, 20.0, 3.0)), Timed((1.0, 10.0, 1.0))) == 2.0
