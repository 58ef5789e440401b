"""Error versus discard: perfect, useless and misleading quality come out as what they are; the bench runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.quality.discard import GRID, Trials, best_area, discards, fnmr_curve, relative_area
from benchmarks.quality.lines import below_lines
from benchmarks.quality.measure import NAMES, places_within
from verify.reference_quality import QualityLine, QualityLines

COUNT = 2000
RNG = np.random.default_rng(7)
MISSED = RNG.random(COUNT) < 0.05
NOISE = RNG.random(COUNT)
ONES = np.ones(COUNT)


def test_discarding_nothing_leaves_the_rate_and_errors_first_the_best_area() -> None:
    perfect = fnmr_curve(MISSED, np.where(MISSED, 0.0, 1.0), ONES)
    assert perfect[0] == pytest.approx(MISSED.mean())
    assert perfect[-1] == 0
    assert relative_area(perfect) == pytest.approx(best_area(MISSED.mean()), abs=0.01)


def test_one_error_is_counted_by_hand() -> None:
    missed = np.arange(10) == 1
    curve = fnmr_curve(missed, np.arange(10.0), np.ones(10))
    at = {round(float(share), 3): float(value) for share, value in zip(GRID, curve, strict=True)}
    assert (at[0.0], at[0.1], at[0.2]) == (pytest.approx(0.1), pytest.approx(1 / 9), pytest.approx(0.0))


def test_equal_quality_is_as_good_as_none() -> None:
    assert fnmr_curve(MISSED, ONES, ONES) == pytest.approx(np.full(len(GRID), MISSED.mean()))


def test_a_comparison_that_counts_twice_is_two() -> None:
    weights = RNG.integers(0, 4, COUNT)
    quality = np.round(NOISE, 2)
    doubled = fnmr_curve(np.repeat(MISSED, weights), np.repeat(quality, weights), np.ones(weights.sum()))
    assert fnmr_curve(MISSED, quality, weights.astype(float)) == pytest.approx(doubled)


def test_only_what_sends_errors_first_predicts() -> None:
    quality = {
        "tells": NOISE - 0.5 * MISSED,
        "knows nothing": NOISE,
        "lies": NOISE + 0.5 * MISSED,
        "is silent": np.full(COUNT, np.inf),
    }
    trials = Trials(missed=MISSED, people=np.arange(COUNT) // 2, quality=quality)
    seen = list[int]()
    found = discards(trials, advance=lambda: seen.append(1))
    assert [name for name, each in found.items() if each.predicts] == ["tells"]
    assert [name for name, each in found.items() if each.misleads] == ["lies"]
    assert found["tells"].area < found["knows nothing"].area < found["lies"].area
    assert found["is silent"].area == pytest.approx(1.0)
    assert (found["is silent"].assessed, found["tells"].assessed) == (0.0, 1.0)
    assert all(each.area_low <= each.area <= each.area_high for each in found.values())
    assert len(seen) == len(quality)


def test_people_who_always_fail_are_no_many_errors() -> None:
    """Forty misses of one person with low quality are one accident."""
    missed = np.arange(400) < 40
    people = np.where(missed, 0, np.arange(400))
    found = discards(
        Trials(missed=missed, people=people, quality={"low for one": np.where(missed, 0.0, NOISE[:400])}),
        advance=lambda: None,
    )["low for one"]
    assert found.area < 0.7
    assert found.area_high > found.area + 0.1


def test_without_an_error_there_is_nothing_to_predict() -> None:
    with pytest.raises(ValueError, match="no comparison was missed"):
        discards(Trials(missed=MISSED & False, people=np.arange(COUNT), quality={}), advance=lambda: None)


def test_places_are_taken_among_the_like() -> None:
    scores = np.array([[1.0, 5.0], [3.0, 5.0], [70.0, np.inf], [90.0, 8.0], [90.0, 9.0]])
    found = places_within(scores, np.array([0, 0, 1, 1, 1]))
    assert found[:, 0].tolist() == pytest.approx([1 / 2, 1.0, 1 / 3, 2.5 / 3, 2.5 / 3])
    assert found[:, 1].tolist() == pytest.approx([0.75, 0.75, np.inf, 1 / 3, 2 / 3])


def test_lines_are_counted_apart_and_together() -> None:
    quality = {"one": np.array([1.0, 9.0, 9.0, 9.0]), "other": np.array([9.0, 1.0, 9.0, np.inf])}
    trials = Trials(missed=np.array([True, False, False, True]), people=np.arange(4), quality=quality)
    line = QualityLine(least=5, advice="")
    found = below_lines(trials, QualityLines(version="test", components={"one": line, "other": line}))
    assert (found["one"].share, found["one"].fnmr_below, found["one"].fnmr_others) == (0.25, 1.0, 1 / 3)
    assert (found["any of them"].share, found["any of them"].fnmr_below) == (0.5, 0.5)
    unheard = below_lines(trials, QualityLines(version="test", components={"one": QualityLine(least=1, advice="")}))
    assert (unheard["one"].fnmr_below, unheard["one"].fnmr_others) == (None, 0.5)


def protocol(shared_dir: Path, folder: Path, *, people: int) -> Path:
    """Some genuine pairs of LFW."""
    lines = (shared_dir / "data/lfw/pairs.csv").read_text("utf-8").splitlines()
    genuine = [line for line in lines[1:] if line.endswith(",1")][:people]
    impostor = next(line for line in lines[1:] if line.endswith(",0"))
    path = folder / "pairs.csv"
    path.write_text("\n".join([lines[0], *genuine, impostor]) + "\n", "utf-8")
    return path


def test_the_bench_measures_a_small_protocol(tmp_path: Path, shared_dir: Path) -> None:
    pairs, kept, page = protocol(shared_dir, tmp_path, people=40), tmp_path / "found.json", tmp_path / "page.html"
    command = ["quality", "--images", str(shared_dir / "data/lfw/images"), "--pairs", str(pairs)]
    done = CliRunner().invoke(app, [*command, "--json", str(kept), "--html", str(page)])
    assert done.exit_code == 0, done.output
    told = json.loads(kept.read_text("utf-8"))
    mixed = told["rounds"]["probes as they are and degraded"]
    assert set(mixed["components"]) == set(NAMES)
    assert mixed["comparisons"] + mixed["no_face"] == 40 * 7
    assert "<svg" in page.read_text("utf-8")


def test_too_few_people_are_refused_with_a_reason(tmp_path: Path, portraits: dict[str, bytes]) -> None:
    for name, photo in portraits.items():
        (tmp_path / f"{name}.jpg").write_bytes(photo)
    listed = "image_a,image_b,same\nperson_a_1.jpg,person_a_2.jpg,1\nperson_b_1.jpg,person_b_2.jpg,1\n"
    (tmp_path / "pairs.csv").write_text(listed + "person_a_1.jpg,person_b_2.jpg,0\n", "utf-8")
    done = CliRunner().invoke(app, ["quality", "--images", str(tmp_path), "--pairs", str(tmp_path / "pairs.csv")])
    assert done.exit_code == 2
    assert "photos_insufficient" in done.output
