import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.pad_figures import by_person, draw_reliability, pad_figures
from benchmarks.pad_training.scenes import ATTACKS, Portrait, live_scene
from benchmarks.pad_training.variations import varied
from models.attack_detection import read_calibration
from models.engine import Engine
from models.image import decode_image
from models.pad_crops import SIDE


def test_figures_at_a_threshold_are_counted() -> None:
    live, attacks = np.array([0.9, 0.8, 0.1]), {"print": np.array([0.05, 0.6]), "screen": np.array([0.0])}
    found = pad_figures(live, attacks, threshold=0.5)
    assert found["bpcer"] == pytest.approx(1 / 3)
    assert found["apcer"] == {"print": 0.5, "screen": 0.0}
    assert found["auc"] == pytest.approx(8 / 9)


def test_the_command_writes_its_figures(portraits: dict[str, bytes], tmp_path: Path) -> None:
    for folder in ("live", "print"):
        (tmp_path / folder).mkdir()
        for name in ("person_a_1", "person_b_1"):
            (tmp_path / folder / f"{name}.jpg").write_bytes(portraits[name])
    figures = tmp_path / "figures.json"
    folders = ["--bona-fide", str(tmp_path / "live"), "--attack", f"print={tmp_path / 'print'}"]
    result = CliRunner().invoke(app, ["pad", *folders, "--person", "person_(.)_", "--json", str(figures)])
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    assert content["auc"] == 0.5
    assert content["threshold"] == read_calibration("heyan_pad_1").threshold
    assert {person: each["frames"] for person, each in content["by_person"]["print"].items()} == {"a": 1, "b": 1}


@pytest.mark.parametrize("attack", ["print", "print=/nowhere", "=x"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, attack: str) -> None:
    result = CliRunner().invoke(app, ["pad", "--bona-fide", str(tmp_path), "--attack", attack])
    assert result.exit_code == 2
    assert "NAME=FOLDER" in result.stderr


@pytest.mark.parametrize("person", ["(", "person"])
def test_a_pattern_that_finds_no_person_is_named(tmp_path: Path, person: str) -> None:
    folders = ["--bona-fide", str(tmp_path), "--attack", f"print={tmp_path}"]
    result = CliRunner().invoke(app, ["pad", *folders, "--person", person])
    assert result.exit_code == 2
    assert "--person" in result.stderr


def test_frames_are_counted_for_each_person() -> None:
    found = {Path("7_1.jpg"): 0.9, Path("7_2.jpg"): 0.2, Path("8_1.jpg"): 0.5}
    assert by_person(found, re.compile(r"^(\d+)_"), threshold=0.5) == {
        "7": {"frames": 2, "live": 0.5},
        "8": {"frames": 1, "live": 1.0},
    }


def test_the_reliability_curve_is_a_picture(tmp_path: Path) -> None:
    curve = tmp_path / "curve.png"
    draw_reliability(curve, [[10, 0.1, 0.05], [20, 0.9, 0.95]])
    assert decode_image(curve.read_bytes()).pixels.shape[0] > 100


@given(st.integers(0, 2**32))
def test_a_variation_is_a_view_and_a_seed_makes_it(seed: int) -> None:
    down, across = np.mgrid[0:SIDE, 0:SIDE]
    view = np.stack([across, down, across + down], axis=-1).astype(np.uint8)
    others = np.stack([255 - view, view[::-1]])
    one, same = (varied(view, others, np.random.default_rng(seed)) for _ in range(2))
    assert one.shape == (SIDE, SIDE, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, same)


@pytest.mark.parametrize("name", ["live", *ATTACKS])
def test_a_training_scene_shows_a_face_where_it_says(portraits: dict[str, bytes], engine: Engine, name: str) -> None:
    frame = decode_image(portraits["person_b_1"])
    portrait = Portrait.of(frame.pixels, engine.single_face(frame).box)
    room = decode_image(portraits["impostor_1"]).pixels
    stage = {"live": live_scene, **ATTACKS}[name]
    one, same = (stage(portrait, room, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.picture, same.picture)
    x, y, w, h = one.box
    assert 80 < w < 300
    assert 0 <= x + w / 2 <= one.picture.shape[1]
    assert 0 <= y + h / 2 <= one.picture.shape[0]
