from dataclasses import replace
from random import Random

import pytest
from observations import observed

from liveness.assessment import MORE_CUES, SIGNALS, assess, trust
from liveness.challenge import CUES_PER_CHALLENGE, Cue, draw_challenge
from liveness.report import CueOutcome, CueReport, Signal, Status
from liveness.script import begin
from verify.policy import load_policy

LIMITS = load_policy().liveness
ANSWERED = CueReport(
    cue=Cue.LOOK_UP, outcome=CueOutcome.ANSWERED, asked_at=1.0, opened_at=1.1, answered_at=2.0, peak=15.0
)
CUES = (ANSWERED,) * CUES_PER_CHALLENGE
WEIGHTS = {"light": 1.0, "passive": 1.0, MORE_CUES: 2.0}


def signal(name: str, score: float) -> Signal:
    return Signal(name=name, raw=score, score=score, status=Status.PASS)


@pytest.mark.parametrize(
    ("light", "more", "expected"),
    [
        (1.0, (), 0.5),
        (0.0, (), 0.25),
        (0.0, (ANSWERED, ANSWERED), 0.75),
        (0.0, (ANSWERED, replace(ANSWERED, outcome=CueOutcome.TIMED_OUT)), 0.25),
    ],
)
def test_trust_is_the_weighted_mean_and_what_is_absent_counts_as_nothing(
    light: float, more: tuple[CueReport, ...], expected: float
) -> None:
    assert trust([signal("light", light), signal("passive", 1.0)], (*CUES, *more), WEIGHTS) == pytest.approx(expected)


def test_the_report_carries_every_signal_and_says_that_the_capture_is_unattested() -> None:
    report = assess(
        challenge=draw_challenge(Random(1)),
        script=begin(now=0.0),
        observations=[observed(0.125 * place) for place in range(4)],
        face_chain=[0.8],
        live_probability=0.9,
        thresholds=LIMITS,
    )
    names = {signal.name for signal in report.signals}
    assert names == SIGNALS - {MORE_CUES}
    assert report.frames == 4
    assert not report.complete
    assert report.capture == "unattested"
