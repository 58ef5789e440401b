import pytest

from liveness.framing import framing_guidance
from liveness.observation import FaceView, Observation
from liveness.prompts import Guidance
from models.pose import Pose


def seen(**changes: object) -> Observation:
    good: dict[str, object] = {
        "pose": Pose(0, 0, 0),
        "eye_distance": 0.17,
        "centre_x": 0.5,
        "centre_y": 0.5,
        "brightness": 0.5,
        "motion": None,
        "relief": None,
    }
    return Observation(at=0.0, nonce="", faces=1, face=FaceView(**(good | changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "guidance"),
    [
        ({}, Guidance.GOOD),
        ({"eye_distance": 0.08}, Guidance.CLOSER),
        ({"eye_distance": 0.35}, Guidance.FURTHER),
        ({"centre_x": 0.1}, Guidance.CENTRE),
        ({"centre_y": 0.9}, Guidance.CENTRE),
        ({"brightness": 0.05}, Guidance.MORE_LIGHT),
        ({"pose": Pose(30, 0, 0)}, Guidance.LOOK_STRAIGHT),
        ({"pose": Pose(0, -30, 0)}, Guidance.LOOK_STRAIGHT),
    ],
)
def test_guidance_names_what_to_change(changes: dict[str, object], guidance: Guidance) -> None:
    assert framing_guidance(seen(**changes)) is guidance


def test_no_face_and_several_faces_are_told_apart() -> None:
    assert framing_guidance(Observation(at=0, nonce="", faces=0, face=None)) is Guidance.NO_FACE
    assert framing_guidance(Observation(at=0, nonce="", faces=2, face=None)) is Guidance.SEVERAL_FACES
