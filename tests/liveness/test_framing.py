from dataclasses import replace

import pytest
from observations import face, observed

from liveness.framing import framing_guidance
from liveness.observation import Observation
from liveness.prompts import Guidance


def seen(**changes: object) -> Observation:
    return observed(0.0, face(**changes))


@pytest.mark.parametrize(
    ("changes", "guidance"),
    [
        ({}, Guidance.GOOD),
        ({"eye_distance": 0.08}, Guidance.CLOSER),
        ({"eye_distance": 0.35}, Guidance.FURTHER),
        ({"centre_x": 0.1}, Guidance.CENTRE),
        ({"centre_y": 0.9}, Guidance.CENTRE),
        ({"brightness": 0.05}, Guidance.MORE_LIGHT),
        ({"straight": False}, Guidance.LOOK_STRAIGHT),
    ],
)
def test_guidance_names_what_to_change(changes: dict[str, object], guidance: Guidance) -> None:
    assert framing_guidance(seen(**changes)) is guidance


def test_no_face_and_several_faces_are_told_apart() -> None:
    assert framing_guidance(observed(0.0, None)) is Guidance.NO_FACE
    assert framing_guidance(replace(observed(0.0, None), faces=2)) is Guidance.SEVERAL_FACES
