"""Observations as tests want them: everything in order unless said otherwise."""

from dataclasses import replace
from typing import Any

from liveness.challenge import Cue
from liveness.motion import STILL, Motion
from liveness.observation import FaceView, Observation
from models.frame_history import Novelty
from models.illumination import Illumination
from models.pose import Pose
from verify.policy import load_policy

CUES = load_policy().liveness.cues

NEW = Novelty(step=3.0, echo=4.0, noise=0.3, between=2.0)
"""A frame of something that moves."""

FACE = FaceView(
    pose=Pose(0.0, 0.0, 0.0),
    straight=True,
    eye_distance=0.17,
    centre_x=0.5,
    centre_y=0.5,
    aspect=4 / 3,
    brightness=0.5,
    motion=STILL,
    relief=None,
    protrusion=None,
    perspective=None,
    illumination=None,
)

GREY = Illumination(skin=(0.3, 0.3, 0.3), features=(0.05, 0.05, 0.05), background=(0.2, 0.2, 0.2))


def face(**changes: Any) -> FaceView:
    """A face in the middle of the picture, at rest."""
    return replace(FACE, **changes)


def observed(at: float, view: FaceView | None = FACE, *, nonce: str = "", novelty: Novelty = NEW) -> Observation:
    """One frame."""
    return Observation(at=at, nonce=nonce, faces=int(view is not None), face=view, novelty=novelty)


def motion_towards(cue: Cue, share: float) -> Motion:
    """A motion that goes a share of the way that a cue asks for."""
    degrees, pitch = share * CUES.turn_degrees, share * CUES.look_degrees
    return {
        Cue.TURN_LEFT: Motion(yaw=degrees, pitch=0.0, scale=1.0),
        Cue.TURN_RIGHT: Motion(yaw=-degrees, pitch=0.0, scale=1.0),
        Cue.LOOK_UP: Motion(yaw=0.0, pitch=pitch, scale=1.0),
        Cue.LOOK_DOWN: Motion(yaw=0.0, pitch=-pitch, scale=1.0),
        Cue.COME_CLOSER: Motion(yaw=0.0, pitch=0.0, scale=1 + share * (CUES.closer_ratio - 1)),
    }[cue]
