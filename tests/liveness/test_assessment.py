import pytest

from liveness.assessment import assess, relief_signal, same_face_signal
from liveness.observation import FaceView, Observation
from liveness.relief import Relief
from liveness.report import Status
from models.pose import Pose
from verify.policy import load_policy

LIMITS = load_policy().liveness.signals


def turned(ratio: float, foreshortening: float = 30.0) -> Observation:
    relief = Relief(residual=ratio * 0.5, foreshortening=foreshortening)
    face = FaceView(
        pose=Pose(0, 0, 0),
        eye_distance=0.17,
        centre_x=0.5,
        centre_y=0.5,
        brightness=0.5,
        motion=None,
        relief=relief,
    )
    return Observation(at=0.0, nonce="", faces=1, face=face)


@pytest.mark.parametrize(("ratio", "status"), [(0.1, Status.PASS), (0.01, Status.FAIL), (0.04, Status.INCONCLUSIVE)])
def test_relief_is_judged_by_the_median_of_the_turned_views(ratio: float, status: Status) -> None:
    views = [turned(ratio)] * 5 + [turned(0.5)] * 2
    assert relief_signal(views, LIMITS).status is status


def test_views_that_are_hardly_turned_judge_nothing() -> None:
    signal = relief_signal([turned(0.9, foreshortening=5.0)] * 50, LIMITS)
    assert signal.status is Status.INCONCLUSIVE
    assert signal.raw is None
    assert signal.score == 0.0


@pytest.mark.parametrize(
    ("chain", "status"),
    [
        ([0.9, 0.8], Status.PASS),
        ([0.9, 0.1, 0.9], Status.FAIL),
        ([0.9, 0.38], Status.INCONCLUSIVE),
        ([], Status.INCONCLUSIVE),
        ([0.9, float("nan")], Status.INCONCLUSIVE),
    ],
)
def test_one_pair_of_frames_that_shows_somebody_else_fails_the_clip(chain: list[float], status: Status) -> None:
    assert same_face_signal(chain, LIMITS).status is status


def test_the_report_carries_every_signal_and_says_that_the_capture_is_unattested() -> None:
    report = assess(cues=(), observations=[turned(0.1)] * 4, face_chain=[0.8], thresholds=LIMITS)
    assert [signal.name for signal in report.signals] == ["relief", "same_face"]
    assert report.frames == 4
    assert report.capture == "unattested"
