from dataclasses import replace
from random import Random

import numpy as np
import pytest
from observations import NEW, face, observed

from liveness.challenge import draw_challenge
from liveness.light import LightAnswer
from liveness.motion import Motion
from liveness.nose import Protrusion
from liveness.observation import FaceView
from liveness.perspective import Perspective
from liveness.relief import Relief
from liveness.report import Status
from liveness.signals import (
    fresh_signal,
    graded,
    light_signal,
    noise_signal,
    nose_signal,
    passive_signal,
    perspective_signal,
    relief_signal,
    same_face_signal,
    unbroken_signal,
    unrepeated_signal,
)
from liveness.thresholds import Line
from verify.policy import load_policy

LIMITS = load_policy().liveness.signals
CUES = load_policy().liveness.cues
NAN = float("nan")


def turned(ratio: float, foreshortening: float = 30.0, *, nose: float = 0.2, yaw: float = 20.0) -> FaceView:
    return face(
        motion=Motion(yaw=yaw, pitch=0.0, scale=1.0),
        relief=Relief(residual=ratio * float(np.sin(np.radians(foreshortening))), foreshortening=foreshortening),
        protrusion=Protrusion(across=nose * float(np.sin(np.radians(yaw))), down=0.0),
    )


@pytest.mark.parametrize(
    ("raw", "status", "score"),
    [
        (0.9, Status.PASS, 1.0),
        (0.8, Status.PASS, 1.0),
        (0.6, Status.INCONCLUSIVE, 0.5),
        (0.4, Status.INCONCLUSIVE, 0.0),
        (0.3, Status.FAIL, 0.0),
        (None, Status.INCONCLUSIVE, 0.0),
        (NAN, Status.INCONCLUSIVE, 0.0),
    ],
)
def test_a_measure_is_graded_by_its_line(raw: float | None, status: Status, score: float) -> None:
    signal = graded("any", raw, Line(passing=0.8, failing=0.4))
    assert (signal.status, signal.score) == (status, pytest.approx(score))


@pytest.mark.parametrize(("raw", "status"), [(0.3, Status.PASS), (0.6, Status.INCONCLUSIVE), (0.9, Status.FAIL)])
def test_a_line_may_run_the_other_way(raw: float, status: Status) -> None:
    assert graded("any", raw, Line(passing=0.4, failing=0.8)).status is status


@pytest.mark.parametrize(("ratio", "status"), [(0.1, Status.PASS), (0.01, Status.FAIL), (0.062, Status.INCONCLUSIVE)])
def test_relief_is_judged_by_the_median_of_a_turn(ratio: float, status: Status) -> None:
    assert relief_signal([turned(ratio)] * 5 + [turned(0.5)] * 2, LIMITS).status is status


def test_views_that_are_hardly_turned_judge_nothing() -> None:
    signal = relief_signal([turned(0.9, foreshortening=5.0)] * 50, LIMITS)
    assert (signal.status, signal.raw, signal.score) == (Status.INCONCLUSIVE, None, 0.0)


def test_a_still_head_that_seems_to_turn_a_little_is_no_flat_picture() -> None:
    """Degrees and ratios of a person who followed no cue, as measured."""
    swaying = [turned(ratio, foreshortening=seems) for seems, ratio in ((12.5, 0.048), (13.3, 0.049), (14.0, 0.052))]
    assert relief_signal(swaying, LIMITS).status is Status.INCONCLUSIVE
    assert relief_signal([*swaying, *[turned(0.01)] * 4], LIMITS).status is Status.FAIL


def test_a_head_that_rests_against_a_half_turned_view_is_no_flat_picture() -> None:
    """As measured: the reference was taken on the way back from a turn, and two screens of light were shown after."""
    resting, between = [turned(0.052, foreshortening=16.3)] * 40, turned(0.08, foreshortening=6.0)
    turns = [turned(ratio, foreshortening=degrees) for degrees, ratio in ((22.3, 0.097), (26.4, 0.098), (30.5, 0.094))]
    views = [each for turn in turns for each in (*[turn] * 6, between)]
    assert relief_signal([*views, *resting], LIMITS).status is Status.PASS


def test_a_picture_that_seems_to_have_relief_while_it_hardly_turns_is_flat() -> None:
    barely, turns, between = turned(0.08, foreshortening=13.0), turned(0.02, foreshortening=50.0), turned(0.0, 4.0)
    assert relief_signal([*[barely] * 60, between, *[turns] * 3], LIMITS).status is Status.FAIL


def test_a_picture_that_mostly_sways_and_turns_far_once_is_flat() -> None:
    """As measured on a print that was moved, and then turned by 55 degrees and held."""
    sways = [turned(0.064, foreshortening=seems) for seems in (12.8, 11.7, 13.1, 10.9, 13.4, 11.0)]
    assert relief_signal([*sways, *[turned(0.023, foreshortening=55.0)] * 50], LIMITS).status is Status.FAIL


@pytest.mark.parametrize(
    ("nose", "status"), [(0.2, Status.PASS), (0.0, Status.FAIL), (-0.2, Status.FAIL), (0.09, Status.INCONCLUSIVE)]
)
@pytest.mark.parametrize("yaw", [20.0, -20.0])
def test_the_nose_is_judged_by_the_median_of_the_turned_views(nose: float, status: Status, yaw: float) -> None:
    views = [turned(0.1, nose=nose, yaw=yaw)] * 5 + [turned(0.1, nose=5.0)] * 2
    assert nose_signal(views, LIMITS).status is status


def test_a_nose_that_was_hardly_turned_judges_nothing() -> None:
    assert nose_signal([turned(0.1, yaw=4.0)] * 50, LIMITS).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(("nearness", "status"), [(0.16, Status.PASS), (-0.3, Status.FAIL)])
def test_perspective_is_judged_where_the_face_grew(nearness: float, status: Status) -> None:
    grown = face(perspective=Perspective(bulge=nearness * 0.3, growth=1.3))
    hardly = face(perspective=Perspective(bulge=-1.0, growth=1.01))
    assert perspective_signal([grown] * 4 + [hardly] * 9, LIMITS).status is status


@pytest.mark.parametrize(
    ("chain", "status"),
    [
        ([0.9, 0.8], Status.PASS),
        ([0.9, 0.1, 0.9], Status.FAIL),
        ([0.9, 0.38], Status.INCONCLUSIVE),
        ([], Status.INCONCLUSIVE),
        ([NAN], Status.INCONCLUSIVE),
    ],
)
def test_one_pair_of_frames_that_shows_somebody_else_fails_the_clip(chain: list[float], status: Status) -> None:
    assert same_face_signal(chain, LIMITS).status is status


def test_a_chain_with_a_number_that_is_none_never_passes() -> None:
    assert same_face_signal([0.9, NAN], LIMITS).status is not Status.PASS
    assert same_face_signal([NAN, 0.9], LIMITS).status is not Status.PASS


@pytest.mark.parametrize(("shift", "status"), [(0.0, Status.PASS), (0.4, Status.FAIL)])
def test_a_cut_fails(shift: float, status: Status) -> None:
    frames = [observed(0.125 * place, face(centre_x=0.5 + shift * (place > 10))) for place in range(20)]
    assert unbroken_signal(frames, LIMITS).status is status


@pytest.mark.parametrize(("echo", "status"), [(4.0, Status.PASS), (0.05, Status.FAIL)])
def test_frames_that_come_again_while_they_move_fail(echo: float, status: Status) -> None:
    frames = [observed(0.125 * place, novelty=replace(NEW, echo=echo)) for place in range(30)]
    assert fresh_signal(frames, LIMITS).status is status


def test_frames_made_of_their_neighbours_fail() -> None:
    frames = [observed(0.125 * place, novelty=replace(NEW, between=0.01)) for place in range(30)]
    assert fresh_signal(frames, LIMITS).status is Status.FAIL


def test_frames_that_do_not_move_say_nothing_about_repeats() -> None:
    frames = [observed(0.125 * place, novelty=replace(NEW, step=0.2, echo=0.0)) for place in range(60)]
    assert fresh_signal(frames, LIMITS).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(("noise", "score"), [(0.4, 1.0), (0.05, 0.5), (0.0, 0.0)])
def test_a_picture_without_a_sensors_noise_has_no_score_and_is_not_rejected_for_it(noise: float, score: float) -> None:
    frames = [observed(0.125 * place, novelty=replace(NEW, noise=noise)) for place in range(30)]
    signal = noise_signal(frames, LIMITS)
    assert signal.score == pytest.approx(score)
    assert signal.status is not Status.FAIL


@pytest.mark.parametrize(
    ("probability", "status"),
    [(1.0, Status.PASS), (0.0, Status.FAIL), (None, Status.INCONCLUSIVE), (NAN, Status.INCONCLUSIVE)],
)
def test_the_looks_are_judged_by_their_probability(probability: float | None, status: Status) -> None:
    assert passive_signal(probability, LIMITS).status is status


ANSWER = LightAnswer(correlation=0.8, chance=0.002, lag=0, gain=0.1, texture=1.0, frames=40)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ANSWER, Status.PASS),
        (replace(ANSWER, chance=0.2), Status.INCONCLUSIVE),
        (replace(ANSWER, gain=0.0), Status.INCONCLUSIVE),
        (replace(ANSWER, correlation=0.1), Status.INCONCLUSIVE),
        (replace(ANSWER, texture=6.0, gain=0.5), Status.FAIL),
        (replace(ANSWER, texture=6.0, gain=0.05), Status.PASS),
        (replace(ANSWER, texture=6.0, gain=0.5, chance=0.5), Status.INCONCLUSIVE),
        (None, Status.INCONCLUSIVE),
    ],
)
def test_light_passes_only_by_an_answer_that_hardly_another_sequence_gets(
    answer: LightAnswer | None, status: Status
) -> None:
    assert light_signal(answer, LIMITS).status is status


def test_nothing_observed_is_nothing_known() -> None:
    challenge = draw_challenge(Random(0))
    signals = [
        relief_signal([], LIMITS),
        nose_signal([], LIMITS),
        perspective_signal([], LIMITS),
        unbroken_signal([], LIMITS),
        unrepeated_signal([], challenge, CUES, LIMITS),
        fresh_signal([], LIMITS),
        noise_signal([], LIMITS),
    ]
    assert {(signal.raw, signal.score, signal.status) for signal in signals} == {(None, 0.0, Status.INCONCLUSIVE)}
