import json
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest
from registry_office import CONVINCING
from typer.testing import CliRunner

from benchmarks.attack_range import (
    CONDITIONS,
    Figures,
    Tally,
    attack_trials,
    bona_fide_trials,
    figures,
    reason_of,
)
from benchmarks.attack_report import as_json, as_page
from benchmarks.attacks.catalogue import GEOMETRY, SPECIES
from benchmarks.cli import app
from benchmarks.outcome_file import OutcomeFile, OutcomeFileError, key_of
from benchmarks.people_split import part_of, person_of, photos_of
from benchmarks.trials import BONA_FIDE, Outcome, Trial, as_played, decide_without, judged
from liveness.report import Signal, Status
from verify.decision import Accepted, Decision, Reason, Rejected, decide
from verify.policy import load_policy

PHOTOS = tuple(Path(f"Person_{letter}_0001.jpg") for letter in "abcdef")
POLICY = load_policy()


def outcome(decision: Decision, *, photo: Path = PHOTOS[0], unguarded: bool = False, light: bool = True) -> Outcome:
    trial = Trial(photo=photo, species="replayed_stream", seed=0, unguarded=unguarded, light=light)
    return Outcome(trial, CONVINCING, decision)


def test_every_face_takes_its_turn_as_victim_and_as_attacker() -> None:
    trials = attack_trials(SPECIES["impostor"], PHOTOS, attempts=12, seed=5)
    first = trials[:12]
    assert {trial.photo for trial in first} == {trial.other for trial in first} == set(PHOTOS)
    assert all(trial.photo != trial.other for trial in trials)
    assert len({trial.seed for trial in first}) == 12


def test_the_first_people_are_tried_twice_more_without_light_and_some_attempts_unguarded() -> None:
    trials = attack_trials(SPECIES["replayed_stream"], PHOTOS, attempts=20, seed=5)
    later = [trial for trial in trials if not trial.light]
    assert [trial.photo for trial in later] == [*PHOTOS[:2], *PHOTOS[:2]]
    assert len({trial.seed for trial in trials if not trial.unguarded}) == 24
    unguarded = [trial for trial in trials if trial.unguarded]
    assert [replace(trial, unguarded=False) for trial in unguarded] == trials[:3]


@pytest.mark.parametrize(
    ("species", "shared"),
    [("impostor", True), ("colour_overlay", True), ("puppet_2d", False), ("looped_video", False)],
)
def test_an_unguarded_attempt_is_played_again_only_where_its_session_differs(species: str, shared: bool) -> None:
    trial = Trial(photo=PHOTOS[0], other=PHOTOS[1], species=species, seed=1)
    assert (as_played(replace(trial, unguarded=True)) == trial) is shared


def test_what_has_no_countermeasure_is_never_unguarded() -> None:
    trials = attack_trials(SPECIES["injected_render_natural"], PHOTOS, attempts=20, seed=5)
    assert not any(trial.unguarded for trial in trials)


def test_conditions_take_turns_over_bona_fide_people() -> None:
    trials = bona_fide_trials(PHOTOS, attempts=2 * len(CONDITIONS), seed=1)
    assert {trial.species for trial in trials} == {BONA_FIDE}
    assert sum(trial.glasses for trial in trials) == 2
    assert sum(not trial.light for trial in trials) == 2
    assert {trial.frames_per_second for trial in trials} == {5.0, 8.0}


def test_figures_count_each_kind_of_attempt_apart() -> None:
    outcomes = [
        outcome(Rejected(Reason.MISMATCH)),
        outcome(Accepted(), photo=PHOTOS[1]),
        outcome(Rejected(Reason.MISMATCH), photo=PHOTOS[2]),
        outcome(Accepted(), light=False),
        outcome(Rejected(Reason.MISMATCH), light=False),
        outcome(Rejected(Reason.MISMATCH), photo=PHOTOS[2], light=False),
        outcome(Accepted(), unguarded=True),
    ]
    found = figures(outcomes)
    assert (found.attempts, found.people, found.passes) == (3, 3, 1)
    assert found.without_light == Tally(attempts=3, passes=1)
    assert found.allowance == Tally(attempts=2, passes=1)
    assert found.unguarded == Tally(attempts=1, passes=1)
    assert found.reasons == {"mismatch": 2, "accepted": 1}


def test_bona_fide_people_all_count_alike() -> None:
    found = figures([outcome(Accepted()), outcome(Accepted(), light=False)], genuine=True)
    assert (found.attempts, found.passes) == (2, 2)


@pytest.mark.parametrize(("people", "upper"), [(150, 0.0243), (10, 0.3085)])
def test_with_no_pass_the_bound_is_that_of_the_people(people: int, upper: float) -> None:
    found = Figures(attempts=150, people=people, passes=0, reasons={})
    assert found.upper == pytest.approx(upper, abs=5e-4)


def test_switching_a_countermeasure_off_leaves_the_others_on() -> None:
    failing = tuple(Signal(name=name, raw=0.0, score=0.0, status=Status.FAIL) for name in ("relief", "fresh"))
    kept = tuple(signal for signal in CONVINCING.liveness.signals if signal.name != "relief")
    evidence = replace(CONVINCING, liveness=replace(CONVINCING.liveness, signals=(*failing, *kept)))
    assert reason_of(decide(evidence, POLICY)) == "liveness (relief)"
    assert reason_of(decide_without(GEOMETRY, evidence, POLICY)) == "liveness (fresh)"
    assert reason_of(decide_without("fresh", evidence, POLICY)) == "liveness (relief)"
    other = replace(CONVINCING, similarity=0.1)
    assert decide_without("similarity", other, POLICY) == Accepted()


def test_people_are_split_for_good() -> None:
    names = [f"Person_{number}" for number in range(2000)]
    parts = [part_of(name) for name in names]
    shares = {part: parts.count(part) / len(parts) for part in ("training", "calibration", "test")}
    assert shares["training"] == pytest.approx(0.6, abs=0.04)
    assert shares["test"] == pytest.approx(0.2, abs=0.04)
    assert person_of(Path("Jane_Doe_0002.jpg")) == "Jane_Doe"
    photos = [Path(f"{name}_0001.jpg") for name in names]
    assert all(part_of(person_of(photo)) == "test" for photo in photos_of(photos, "test"))


def test_the_report_names_everything_that_was_tried_and_what_was_not() -> None:
    measured = {name: Figures(attempts=10, people=10, passes=0, reasons={"mismatch": 10}) for name in SPECIES}
    bona_fide = Figures(attempts=20, people=10, passes=19, reasons={"accepted": 19, "blurred": 1})
    page = as_page(measured, bona_fide, {"glasses": bona_fide}, policy="open-5", command="heyan-bench attacks")
    assert all(name in page for name in (*SPECIES, "silicone_mask", "blurred 1", "glasses"))
    content = as_json(measured, bona_fide, {}, policy="open-5")
    assert content["bpcer"] == pytest.approx(0.05)
    assert set(content["species"]["impostor"]) >= {"attempts", "passes", "iapar", "iapar_upper_95"}


@pytest.mark.timeout(900)
def test_the_command_runs_and_writes(portraits: dict[str, bytes], tmp_path: Path) -> None:
    names = [name for name in (f"Person{number}" for number in range(100)) if part_of(name) == "test"][:3]
    for name, photo in zip(names, ("person_a_1", "person_b_1", "impostor_1"), strict=True):
        (tmp_path / f"{name}_1.jpg").write_bytes(portraits[photo])
    figures_file, report = tmp_path / "figures.json", tmp_path / "report.md"
    options = [
        "--attempts",
        "3",
        "--bona-fide",
        str(len(CONDITIONS)),
        "--species",
        "impostor",
        "--json",
        str(figures_file),
        "--outcomes",
        str(tmp_path / "outcomes.jsonl"),
        "--real-time",
        "1",
    ]
    command = ["attacks", "--photos", str(tmp_path), *options, "--report", str(report)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    content = json.loads(figures_file.read_text("utf-8"))
    impostor = content["species"]["impostor"]
    assert (impostor["real_time_attempts"], impostor["real_time_passes"]) == (1, 0)
    lines = (tmp_path / "outcomes.jsonl").read_text("utf-8").count("\n")
    assert CliRunner().invoke(app, [*command, "--real-time", "0"]).exit_code == 0
    assert (tmp_path / "outcomes.jsonl").read_text("utf-8").count("\n") == lines
    again = json.loads(figures_file.read_text("utf-8"))
    assert again["species"]["impostor"] == {**impostor, "real_time_attempts": 0}
    assert content["species"]["impostor"]["passes"] == 0
    assert report.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_outcomes_come_back_from_their_file(tmp_path: Path) -> None:
    kept = OutcomeFile(tmp_path / "outcomes.jsonl")
    unmeasured = replace(CONVINCING, similarity=nan, least_similarity=nan)
    unlike = replace(CONVINCING, similarity=0.1)
    found = [
        judged(Trial(photo=PHOTOS[0], species="impostor", seed=seed), each, POLICY)
        for seed, each in enumerate([CONVINCING, unmeasured, unlike])
    ]
    assert kept.known() == {}
    for each in found:
        kept.add(each)
    with kept.path.open("a", encoding="utf-8") as file:
        file.write('{"trial": "cut o')
    again = [judged(each.trial, kept.known()[key_of(each.trial)], POLICY) for each in found]
    assert [each.decision for each in again] == [each.decision for each in found]
    assert again[0] == found[0]
    assert again[2] == found[2]
    assert isnan(again[1].evidence.similarity)


def test_every_setting_of_a_trial_is_in_its_key() -> None:
    trial = Trial(photo=PHOTOS[0], species="impostor", seed=1)
    others = [
        replace(trial, seed=2),
        replace(trial, light=False),
        replace(trial, photo=PHOTOS[1]),
        replace(trial, other=PHOTOS[1]),
    ]
    others += bona_fide_trials(PHOTOS, attempts=len(CONDITIONS), seed=1)
    keys = [key_of(each) for each in (trial, *others)]
    assert len(set(keys)) == len(keys)
    assert key_of(trial) == key_of(Trial(photo=Path("elsewhere") / PHOTOS[0].name, species="impostor", seed=1))


@pytest.mark.parametrize(
    ("content", "code"),
    [('{"made_with": "0"}\n', "outcomes_of_another_range"), ("species,passes\n", "outcomes_of_another_range")],
)
def test_outcomes_of_another_range_are_not_mixed_in(tmp_path: Path, content: str, code: str) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(OutcomeFileError) as caught:
        OutcomeFile(path).known()
    assert caught.value.code == code


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    kept = OutcomeFile(tmp_path / "outcomes.jsonl")
    kept.add(outcome(Accepted()))
    kept.path.write_text(kept.path.read_text("utf-8") + "no line\n", "utf-8")
    with pytest.raises(OutcomeFileError, match="no file of outcomes"):
        kept.known()


def test_an_unknown_species_names_the_known_ones(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["attacks", "--photos", str(tmp_path), "--species", "voodoo"])
    assert result.exit_code == 2
    assert "printed_photo_flat" in " ".join(result.output.replace("│", " ").split())


def test_a_species_that_may_pass_too_often_is_named_an_open_hole_whatever_the_catalogue_says() -> None:
    stopped = Figures(attempts=150, people=140, passes=0, reasons={}, unguarded=Tally(attempts=20, passes=20))
    passing = Figures(attempts=150, people=140, passes=16, reasons={}, unguarded=Tally(attempts=20, passes=3))
    attacks = {"printed_photo_flat": stopped, "colour_overlay": passing}
    content = as_json(attacks, stopped, {}, policy="open-5")["species"]
    assert [content[name]["open_hole"] for name in attacks] == [False, True]
    page = as_page(attacks, stopped, {}, policy="open-5", command="x")
    assert "**Open holes**: colour_overlay." in page
    assert "stopped by another: colour_overlay." in page
