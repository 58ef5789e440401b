"""Degradations do what their names say; rates and the change are counted as they should be."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.degradations.measure import better_and_worse, rates
from benchmarks.degradations.render import DEGRADATIONS, Degrade, grey, small
from models.engine import Engine
from models.image import Frame, decode_image

RENDERED = {title: degrade for title, degrade in DEGRADATIONS.items() if degrade is not None}


@pytest.mark.parametrize("title", RENDERED)
def test_each_changes_the_portrait_and_leaves_a_face(title: str, portraits: dict[str, bytes], engine: Engine) -> None:
    frame = decode_image(portraits["person_b_1"])
    face = engine.single_face(frame)
    degrade: Degrade = RENDERED[title]
    found = degrade(frame.pixels, float(face.box[3]), np.random.default_rng(1))
    again = degrade(frame.pixels, float(face.box[3]), np.random.default_rng(1))
    assert found.dtype == np.uint8
    assert np.array_equal(found, again)
    assert not np.array_equal(found, frame.pixels)
    assert engine.detect(Frame(found))


def test_grey_has_no_colour_and_small_has_the_height_that_it_says(portraits: dict[str, bytes], engine: Engine) -> None:
    frame = decode_image(portraits["person_a_1"])
    face = engine.single_face(frame)
    rng = np.random.default_rng(1)
    flat = grey(frame.pixels, 0.0, rng)
    assert np.ptp(flat.astype(int), axis=2).max() == 0
    shrunk = Frame(small(60)(frame.pixels, float(face.box[3]), rng))
    assert engine.detect(shrunk)[0].box[3] == pytest.approx(60, rel=0.15)


def test_a_reference_that_is_nearer_to_its_own_person_misses_less() -> None:
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(60), 2)
    own = rng.normal(size=(60, 32))[people]
    probes, good, bad = (own + spread * rng.normal(size=own.shape) for spread in (0.6, 0.5, 2.5))
    unit = [(part / np.linalg.norm(part, axis=1, keepdims=True)).astype(np.float32) for part in (bad, good, probes)]
    unit[1][0] = np.nan
    found = rates(unit[0], unit[1], unit[2], people)
    assert found.fnmr_after < found.fnmr_before
    assert found.change_low <= found.fnmr_after - found.fnmr_before <= found.change_high < 0
    assert found.fnmr_after >= 1 / len(people)
    assert (found.not_acquired, found.genuine, found.impostors) == (1, 120, 120 * 118)
    assert better_and_worse({"as it is": found, "grey": found}) == (1, 0)


def test_the_bench_measures_a_small_protocol(tmp_path: Path, portraits: dict[str, bytes]) -> None:
    for name, photo in portraits.items():
        (tmp_path / f"{name}.jpg").write_bytes(photo)
    listed = "image_a,image_b,same\nperson_a_1.jpg,person_a_2.jpg,1\nperson_b_1.jpg,person_b_2.jpg,1\n"
    (tmp_path / "pairs.csv").write_text(listed + "person_a_1.jpg,person_b_2.jpg,0\n", "utf-8")
    kept = tmp_path / "found.json"
    command = ["degradations", "--images", str(tmp_path), "--pairs", str(tmp_path / "pairs.csv"), "--json", str(kept)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    told = json.loads(kept.read_text("utf-8"))["degradations"]
    assert set(told) == set(DEGRADATIONS)
    assert all(each["fnmr_after"] == 0 and each["not_acquired"] == 0 for each in told.values())
