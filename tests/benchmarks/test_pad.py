import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.pad_figures import pad_figures
from benchmarks.pad_training.scenes import ATTACKS, Portrait, live_scene
from models.engine import Engine
from models.image import decode_image


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
    result = CliRunner().invoke(app, ["pad", *folders, "--json", str(figures)])
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    assert content["auc"] == 0.5
    assert {"bpcer", "apcer", "threshold"} <= set(content)


@pytest.mark.parametrize("attack", ["print", "print=/nowhere", "=x"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, attack: str) -> None:
    result = CliRunner().invoke(app, ["pad", "--bona-fide", str(tmp_path), "--attack", attack])
    assert result.exit_code == 2
    assert "NAME=FOLDER" in result.stderr


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
