"""Thresholds from labelled images: on made-up scores where the answer is known, and end to end on package photos."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.calibration.comparing import UNACQUIRED, PeopleScores, compare_all
from benchmarks.calibration.derive import CalibratingError, derive
from benchmarks.calibration.labelled import LabelledImage, LabelsError, read_labels, read_sets
from benchmarks.calibration.rates import CLEARANCE, rates_at, threshold_at
from benchmarks.cli import app
from benchmarks.recognition import Embedded, Embeddings
from models.embedding import Embedding
from models.engine import Engine
from verify.calibration import calibration_text, parse_calibration
from verify.policy import parse_policy
from verify.policy_check import faults


def embedded(*angles: float) -> Embeddings:
    """Images `0`, `1` … whose cosines are those of the angles between them, in degrees."""
    turned = np.radians(np.array(angles))
    vectors = np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)
    each = [Embedding(vector, "test/1") for vector in vectors]
    return {str(place): Embedded(probe=one, reference=one) for place, one in enumerate(each)}


def images(*people: str, sessions: tuple[str | None, ...] | None = None) -> list[LabelledImage]:
    sessions = sessions or (None,) * len(people)
    return [
        LabelledImage(file=str(place), person=person, session=session)
        for place, (person, session) in enumerate(zip(people, sessions, strict=True))
    ]


def scored(impostors: list[float], genuine: list[float]) -> PeopleScores:
    """Impostor comparisons of person 0 with each of the others, and genuine ones of person 0."""
    count = len(impostors)
    return PeopleScores(
        people=tuple(map(str, range(count + 1))),
        scores=np.array([*impostors, *genuine], np.float32),
        first=np.zeros(count + len(genuine), np.int32),
        second=np.array([*range(1, count + 1), *([0] * len(genuine))], np.int32),
    )


def test_all_images_are_compared_but_those_of_one_session() -> None:
    found = compare_all(images("a", "a", "a", "b", sessions=("1", "1", "2", None)), embedded(0, 60, 90, 180))
    assert found.people == ("a", "b")
    assert len(found.scores) == 5
    assert sorted(found.scores[found.genuine].round(3)) == [0.0, pytest.approx(0.866, abs=1e-3)]


def test_an_image_without_a_face_never_matches() -> None:
    embeddings = {**embedded(0, 10), "1": None}
    found = compare_all(images("a", "a"), embeddings)
    assert found.scores.tolist() == [UNACQUIRED]
    assert rates_at(found, -1.0, population="", target_fmr=0.1).fnmr == 1.0


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=20, max_size=200),
    st.sampled_from([0.05, 0.1, 0.3]),
)
def test_the_threshold_is_the_lowest_that_keeps_the_target(scores: list[float], target: float) -> None:
    pairs = scored(scores, [])
    found = threshold_at(pairs, target)
    assert found is not None
    assert np.mean(pairs.scores >= found - CLEARANCE) <= target
    assert np.mean(pairs.scores >= found - CLEARANCE - 0.001001) > target


def test_too_few_comparisons_tell_no_threshold() -> None:
    assert threshold_at(scored([0.1] * 99, []), 0.01) is None
    assert threshold_at(scored([0.1] * 100, []), 0.01) is not None


def test_without_an_error_the_bound_is_over_pairs_of_people() -> None:
    found = rates_at(scored([0.1] * 21, [0.9]), 0.5, population="made up", target_fmr=0.1)
    assert (found.fmr, found.person_pairs, found.confused_person_pairs) == (0.0, 21, 0)
    assert found.fmr_upper_95 == pytest.approx(0.161, abs=1e-3)
    assert (found.fnmr, found.genuine) == (0.0, 1)


def test_with_errors_the_bound_is_above_the_share() -> None:
    rng = np.random.default_rng(1)
    people = np.array([(one, other) for one in range(30) for other in range(one + 1, 30)], np.int32)
    pairs = PeopleScores(
        people=tuple(map(str, range(30))),
        scores=rng.normal(0.1, 0.1, len(people)).astype(np.float32),
        first=people[:, 0],
        second=people[:, 1],
    )
    found = rates_at(pairs, 0.25, population="", target_fmr=0.1)
    assert found.fmr is not None
    assert found.fmr_upper_95 is not None
    assert 0.03 < found.fmr < found.fmr_upper_95 < 3 * found.fmr
    assert found.fnmr is None


def test_the_group_that_needs_the_highest_threshold_binds(engine: Engine) -> None:
    easy, hard = (
        scored([0.01 * place for place in range(50)], [0.9]),
        scored([0.3 + 0.01 * place for place in range(50)], [0.7]),
    )
    found = derive(
        {"easy": easy, "hard": hard},
        {"easy": "some", "hard": "others"},
        engine=engine,
        target_fmr=0.1,
        strict_fmr=0.02,
        made_on=date(2026, 1, 2),
    )
    assert (found.binds, found.supported, found.similarity) == ("hard", True, 0.741)
    assert found.strict.similarity > found.similarity
    assert found.groups["hard"].fnmr == 1.0
    assert found.groups["easy"].fmr == 0.0
    assert found.made_on == "2026-01-02"
    assert parse_calibration(calibration_text(found)) == found
    assert json.loads(calibration_text(found))["groups"]["hard"]["impostors"] == 50


def test_a_target_that_one_set_cannot_tell_is_unproven_and_one_that_none_can_is_refused(engine: Engine) -> None:
    large, small = scored([0.01 * place for place in range(50)], [0.9]), scored([0.8] * 5, [0.9])

    def derived(strict: float) -> bool:
        compared, populations = {"large": large, "small": small}, {"large": "", "small": ""}
        found = derive(
            compared, populations, engine=engine, target_fmr=0.2, strict_fmr=strict, made_on=date(2026, 1, 2)
        )
        return found.strict.supported

    assert derived(0.2)
    assert not derived(0.05)
    with pytest.raises(CalibratingError, match="100 comparisons") as caught:
        derived(0.01)
    assert caught.value.code == "comparisons_too_few"


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,sex\na.jpg,f\n", "lacks the columns person"),
        ("image,person\na.jpg,\n", "line 2: person is empty"),
        ("image,person\na.jpg,Ann\na.jpg,Ann\n", "lists a.jpg twice"),
    ],
)
def test_labels_that_cannot_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LabelsError, match=message):
        read_labels(listed(tmp_path, text), folder=tmp_path)


def test_columns_that_are_no_names_are_groups(tmp_path: Path) -> None:
    path = listed(tmp_path, "image,person,session,sex,age\na.jpg,Ann,1,f,30-40\nb.jpg,Bob,2,m,20-30\n")
    first, second = read_labels(path, folder=tmp_path).images
    assert first.groups == {"sex": "f", "age": "30-40"}
    assert (second.person, second.session) == ("Bob", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sets = 3", "is no list of sets"),
        ("[[sets]]\nname = 'a'\npopulation = ''\nfolder = '.'\nnames = '(?P<person>'", "is no list of sets"),
        ("[[sets]]\nname = 'a'\npopulation = ''\nfolder = '.'\nnames = '(?P<person>[0-9]+)[.]jpg'", "is not named as"),
    ],
)
def test_a_list_of_sets_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Ann.jpg").write_bytes(b"")
    with pytest.raises(LabelsError, match=message):
        read_sets(listed(tmp_path, text), data=tmp_path, share="calibrating")


def test_people_who_are_held_out_take_no_part(tmp_path: Path) -> None:
    for name in ("Ann_1", "Ann_2", "Bob_1", "Cy_1"):
        (tmp_path / f"{name}.jpg").write_bytes(b"")
    names = "names = '(?P<person>[A-Za-z]+)_[0-9][.]jpg'\nheld_out = ['Bob']"
    path = listed(tmp_path, f"[[sets]]\nname = 'a'\npopulation = 'b'\nfolder = '.'\n{names}\n")
    (calibrating,) = read_sets(path, data=tmp_path, share="calibrating")
    (held_out,) = read_sets(path, data=tmp_path, share="held out")
    assert [image.person for image in calibrating.images] == ["Ann", "Ann", "Cy"]
    assert [image.person for image in held_out.images] == ["Bob"]


def test_the_command_writes_what_is_shipped(portraits: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    for name, photo in portraits.items():
        person, _, number = name.rpartition("_")
        (folder / f"{person.replace('_', '-')}_{number}.jpg").write_bytes(photo)
    sets = listed(
        tmp_path,
        "[[sets]]\nname = 'portraits'\npopulation = 'credited portraits'\nfolder = 'people'\n"
        "names = '(?P<person>.+)_[0-9]+[.]jpg'\n",
    )
    written = tmp_path / "calibration.json"
    options = ["--data", str(tmp_path), "--sets", str(sets), "--json", str(written)]
    policy = tmp_path / "policy.toml"
    result = CliRunner().invoke(
        app, ["calibrate", *options, "--target-fmr", "0.4", "--strict-fmr", "0.3", "--policy", str(policy)]
    )
    assert result.exit_code == 0, result.output
    found = parse_calibration(written.read_bytes())
    assert found.groups["portraits"].genuine >= 2
    assert found.groups["portraits"].fmr is not None
    assert -1 < found.similarity < 0.46
    proposed = parse_policy(policy.read_text("utf-8"))
    assert (proposed.similarity, proposed.contract) == (found.similarity, found.contract)
    assert faults(policy.read_text("utf-8")) == ()
    refused = CliRunner().invoke(app, ["calibrate", *options])
    assert refused.exit_code == 2
    assert "comparisons_too_few" in refused.stderr
