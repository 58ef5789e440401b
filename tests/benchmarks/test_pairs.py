import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.pairs_file import PairsError, people_of, read_pairs

HEADER = "fold,image_a,image_b,same\n"


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def protocol(tmp_path: Path, portraits: dict[str, bytes]) -> tuple[Path, Path]:
    """A tiny protocol of the portraits: folder and list."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, photo in portraits.items():
        (folder / f"{name}.jpg").write_bytes(photo)
    rows = [
        "1,person_a_1.jpg,person_a_2.jpg,1",
        "2,person_b_1.jpg,person_b_2.jpg,1",
        "1,person_a_1.jpg,impostor_1.jpg,0",
        "2,person_b_1.jpg,impostor_2.jpg,0",
    ]
    return folder, listed(tmp_path, HEADER + "\n".join(rows) + "\n")


def run(folder: Path, pairs: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["pairs", "--images", str(folder), "--pairs", str(pairs), *more])


def test_a_protocol_is_measured_and_drawn(protocol: tuple[Path, Path], tmp_path: Path) -> None:
    figures, curve = tmp_path / "figures.json", tmp_path / "det.png"
    result = run(*protocol, "--json", str(figures), "--det", str(curve))
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    assert (content["pairs"], content["failures_to_acquire"], content["accuracy_mean"]) == (4, 0, 1.0)
    assert content["fnmr_at_fmr_0.001"] is None
    assert {"accuracy_std", "accuracy_95", "contract"} <= set(content)
    assert curve.read_bytes().startswith(b"\x89PNG")


def test_errors_at_the_policy_and_all_impostors_are_counted(protocol: tuple[Path, Path], tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = run(*protocol, "--json", str(figures), "--det", str(tmp_path / "det.png"), "--all-impostors")
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    assert (content["fmr_at_policy"], content["fnmr_at_policy"], content["people"]) == (0.0, 0.0, 3)
    assert content["worst_person_pair_fmr_at_policy"] == 0.0
    assert content["fmr_upper_95_at_policy"] > 0.5
    everybody = content["all_impostors"]
    assert (everybody["impostor"], everybody["person_pairs"]) == (12, 3)
    assert everybody["threshold_at_fmr_0.001"] is None
    assert "impostors" in result.output


def test_a_policy_of_other_weights_is_refused_by_name(protocol: tuple[Path, Path]) -> None:
    result = run(*protocol, "--policy", "no-such-policy")
    assert result.exit_code == 2
    assert "policy_unknown" in result.stderr


def test_an_image_without_a_face_is_counted(protocol: tuple[Path, Path], tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 200), (90, 120, 150)).save(protocol[0] / "person_a_2.jpg")
    figures = tmp_path / "figures.json"
    run(*protocol, "--json", str(figures), "--det", str(tmp_path / "det.png"))
    content = json.loads(figures.read_text("utf-8"))
    assert (content["failures_to_acquire"], content["failed_images"]) == (1, ["person_a_2.jpg"])
    assert content["accuracy_mean"] < 1.0


def test_a_missing_image_is_named(protocol: tuple[Path, Path]) -> None:
    (protocol[0] / "impostor_1.jpg").unlink()
    result = run(*protocol)
    assert result.exit_code == 2
    assert "impostor_1.jpg" in result.stderr


def test_a_damaged_image_is_named(protocol: tuple[Path, Path]) -> None:
    (protocol[0] / "impostor_1.jpg").write_text("text")
    result = run(*protocol)
    assert result.exit_code == 2
    assert "image_unsupported: impostor_1.jpg" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "lacks the columns image_a, image_b, same"),
        (HEADER + "1,a,b,1\n", "needs pairs"),
        (HEADER + "1,a,b,maybe\n", "line 2"),
        (HEADER + "1,a,b,1\none,a,c,0\n", "line 3"),
        (HEADER + "1,a,,1\n", "line 2"),
        ("", "lacks the columns"),
    ],
)
def test_a_list_that_cannot_be_used_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PairsError, match=message):
        read_pairs(listed(tmp_path, text))


def test_without_folds_pairs_are_dealt_evenly(tmp_path: Path) -> None:
    rows = [f"a{number},b{number},{number % 2}" for number in range(40)]
    pairs = read_pairs(listed(tmp_path, "image_a,image_b,same\n" + "\n".join(rows) + "\n"))
    assert {sum(pair.fold == fold for pair in pairs) for fold in range(1, 11)} == {4}


def test_images_of_one_person_are_found_by_pair_and_by_name(tmp_path: Path) -> None:
    text = HEADER + "1,x.jpg,y.jpg,1\n1,y.jpg,z.jpg,1\n1,Jane_0001.jpg,x.jpg,0\n1,Jane_0002.jpg,x.jpg,0\n"
    people = people_of(read_pairs(listed(tmp_path, text)))
    assert people["x.jpg"] == people["y.jpg"] == people["z.jpg"]
    assert people["Jane_0001.jpg"] == people["Jane_0002.jpg"] != people["x.jpg"]
