"""Is the person well in the picture? Gives the guidance that helps, and nothing that teaches an attacker."""

from liveness.observation import FaceView, Observation
from liveness.prompts import Guidance

EYE_DISTANCE = (0.11, 0.30)
"""Share of the frame's width: 53 to 144 pixels of 480. Nearer leaves no room to come closer, further costs detail."""
CENTRE_X = (0.30, 0.70)
CENTRE_Y = (0.25, 0.75)
BRIGHTNESS = 0.10
"""Mean luma of the face, 0 to 1: dark skin in poor light has 0.12, and is followed as well as others."""


def framing_guidance(observation: Observation) -> Guidance:
    """What the person should change; `GOOD` if nothing."""
    if observation.face is None:
        return Guidance.SEVERAL_FACES if observation.faces > 1 else Guidance.NO_FACE
    return _face_guidance(observation.face)


def _face_guidance(face: FaceView) -> Guidance:
    """The first thing that is wrong, in the order in which a person can mend it."""
    wrong = {
        Guidance.CLOSER: face.eye_distance < EYE_DISTANCE[0],
        Guidance.FURTHER: face.eye_distance > EYE_DISTANCE[1],
        Guidance.CENTRE: not (_within(face.centre_x, CENTRE_X) and _within(face.centre_y, CENTRE_Y)),
        Guidance.MORE_LIGHT: face.brightness < BRIGHTNESS,
        Guidance.LOOK_STRAIGHT: not face.straight,
    }
    return next((guidance for guidance, is_wrong in wrong.items() if is_wrong), Guidance.GOOD)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
