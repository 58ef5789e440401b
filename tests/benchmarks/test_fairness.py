import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.calibration.groups import disparity
from benchmarks.cli import app
from verify.calibration import GroupRates


def rates(*, fmr: float | None, fnmr: float | None) -> GroupRates:
    return GroupRates(
        population="",
        people=2,
        person_pairs=1,
        confused_person_pairs=0,
        impostors=10,
        fmr=fmr,
        fmr_upper_95=None,
        genuine=10,
        fnmr=fnmr,
        fnmr_upper_95=None,
        threshold_at_target=None,
    )


def test_the_worst_is_held_against_the_best_where_both_are_known() -> None:
    found = disparity({"f": rates(fmr=0.02, fnmr=0.0), "m": rates(fmr=0.005, fnmr=0.1)})
    assert found == (pytest.approx(4.0), None)
    assert disparity({"f": rates(fmr=None, fnmr=0.1), "m": rates(fmr=0.1, fnmr=0.1)}) == (None, 1.0)
    assert disparity({"all": rates(fmr=0.1, fnmr=0.1)}) == (None, None)


def test_every_value_of_every_column_is_a_group(portraits: dict[str, bytes], tmp_path: Path) -> None:
    rows = ["image,person,colour,half"]
    for place, (name, photo) in enumerate(portraits.items()):
        (tmp_path / f"{name}.jpg").write_bytes(photo)
        rows.append(f"{name}.jpg,{name.rpartition('_')[0]},blue,{'first' if place < 3 else 'second'}")
    labels, figures, picture = (tmp_path / name for name in ("labels.csv", "figures.json", "groups.png"))
    labels.write_text("\n".join(rows) + "\n", "utf-8")
    command = ["fairness", "--images", str(tmp_path), "--labels", str(labels), "--json", str(figures)]
    result = CliRunner().invoke(app, [*command, "--picture", str(picture)])
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    assert set(content["groups"]) == {"everybody=all", "colour=blue", "half=first", "half=second"}
    assert content["groups"]["colour=blue"] == {**content["groups"]["everybody=all"], "population": "blue"}
    halves = [content["groups"][f"half={name}"] for name in ("first", "second")]
    assert sum(each["impostors"] for each in halves) < content["groups"]["everybody=all"]["impostors"]
    assert content["groups"]["everybody=all"]["genuine"] >= 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_labels_without_people_are_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("image,sex\na.jpg,f\n", "utf-8")
    result = CliRunner().invoke(app, ["fairness", "--images", str(tmp_path), "--labels", str(labels)])
    assert result.exit_code == 2
    assert "labels_invalid" in result.stderr
