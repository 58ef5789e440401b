"""Packs side by side: a small protocol by the shipped pack and one that a test made up."""

import json
from pathlib import Path

import pytest
from tiny_pack import write_pack
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.commands.models_compare import _titled
from models.prepare import prepare

MARKS = "<!-- begin heyan-bench models-compare -->\n<!-- end heyan-bench models-compare -->\n"


@pytest.fixture
def protocol(tmp_path: Path, portraits: dict[str, bytes]) -> tuple[str, ...]:
    for name, photo in portraits.items():
        (tmp_path / f"{name}.jpg").write_bytes(photo)
    rows = [
        "1,person_a_1.jpg,person_a_2.jpg,1",
        "2,person_b_1.jpg,person_b_2.jpg,1",
        "1,person_a_1.jpg,impostor_1.jpg,0",
        "2,person_b_1.jpg,impostor_2.jpg,0",
    ]
    (tmp_path / "pairs.csv").write_text("fold,image_a,image_b,same\n" + "\n".join(rows) + "\n", "utf-8")
    return ("--images", str(tmp_path), "--pairs", str(tmp_path / "pairs.csv"), "--rounds", "3")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models-compare", *arguments])


def test_a_pack_is_measured_and_described(protocol: tuple[str, ...], tmp_path: Path) -> None:
    figures, document = tmp_path / "figures.json", tmp_path / "document.md"
    document.write_text(MARKS, "utf-8")
    result = run(*protocol, "--pack", "open", "--json", str(figures), "--docs", str(document))
    assert result.exit_code == 0, result.output
    found = json.loads(figures.read_text("utf-8"))["packs"]["open"]
    assert (found["accuracy"], found["not_acquired"], found["images"]) == (1.0, 0, 6)
    assert found["rates"] is None
    assert found["median_ms"] > 0
    assert found["megabytes"] == pytest.approx(10.8, abs=0.1)
    assert "commercial use allowed" in found["licence"]
    text = document.read_text("utf-8")
    assert "| open | 100.00% (100.00% to 100.00%) | – | – | 0 of 6 |" in text
    assert "sface_2021dec/112/1" in text


def test_a_pack_that_finds_no_face_in_a_photo_says_so(
    protocol: tuple[str, ...], tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, own_data = str(write_pack(tmp_path / "pack")), tmp_path / "data"
    own_data.mkdir()
    (own_data / "fixtures").symlink_to(data_dir.absolute() / "fixtures")
    prepare(own_data, folder)
    prepare(own_data, directory=data_dir / "models" / "sources")
    monkeypatch.setenv("HEYAN_DATA_DIR", str(own_data))
    refused = run(*protocol, "--pack", "open", "--pack", folder)
    assert (refused.exit_code, "face_none" in refused.stderr) == (2, True)


def test_packs_that_are_called_the_same_are_told_apart(tmp_path: Path) -> None:
    one, other = (str(write_pack(tmp_path / name)) for name in ("one", "other"))
    assert _titled(["open", one, other, one]) == {"open": "open", one: one, other: other}
    assert _titled(["open", one]) == {"open": "open", "tiny": one}


def test_an_unknown_pack_is_named(protocol: tuple[str, ...]) -> None:
    refused = run(*protocol, "--pack", "nonsense")
    assert (refused.exit_code, "pack_unknown" in refused.stderr) == (2, True)
