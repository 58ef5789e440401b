"""Makes people of photos: who stands in front of the camera."""

from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.phone.head import Head, HeadPose
from benchmarks.phone.person import Person
from models.detection import Face
from models.engine import Engine
from models.image import Frame, decode_image
from models.pose import pose_from_landmarks

FRONTAL_YAW, FRONTAL_PITCH = 10.0, 13.0
"""Degrees off the camera up to which a photo can pass for an ID photo. Pitch from landmarks has the larger spread."""
LAID_BACK = 0.5
"""Of the angle from landmarks, how much of it a photo is laid over the head by: two thirds of the true one, for they
overstate a turn by 1.1 to 1.6 (six heads rendered at -15 to 15 degrees). With all of it, what a photo hides is seen."""


def living(
    photo: bytes,
    *,
    engine: Engine,
    rng: Random,
    unrest: float = 1.0,
    glasses: bool = False,
    room_lux: float | None = None,
) -> Person:
    """A person with the face of a photo, who follows the cues."""
    frame, face = _face_of(photo, engine)
    picture = with_glasses(frame.pixels, face.landmarks) if glasses else frame.pixels
    head = Head.from_photo(picture, face.landmarks, turned=_aside(face))
    return Person(head, rng, unrest=unrest, room_lux=room_lux)


def with_glasses(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Dark rims and a bridge drawn over the eyes. `landmarks`: (5, 2) pixels."""
    drawn = picture.copy()
    right, left = landmarks[0], landmarks[1]
    eyes = float(np.linalg.norm(left - right))
    thickness = max(1, round(0.05 * eyes))
    across = (left - right) / eyes
    for eye in (right, left):
        axes = (int(0.36 * eyes), int(0.26 * eyes))
        cv2.ellipse(drawn, tuple(int(c) for c in eye), axes, 0, 0, 360, (25, 22, 20), thickness, cv2.LINE_AA)
    ends = [tuple(int(c) for c in eye + sign * 0.36 * eyes * across) for eye, sign in ((right, 1), (left, -1))]
    cv2.line(drawn, ends[0], ends[1], (25, 22, 20), thickness, cv2.LINE_AA)
    return drawn


def frontal(photo: bytes, *, engine: Engine) -> bool:
    """Whether a photo shows one face that looks into the camera, and nobody else: the renderer would take them along.

    Raises FaceError, ImageError.
    """
    frame, face = _face_of(photo, engine)
    pose = pose_from_landmarks(face.landmarks)
    alone = len(engine.detect(frame)) == len(engine.around(frame, face)) == 1
    return alone and abs(pose.yaw) <= FRONTAL_YAW and abs(pose.pitch) <= FRONTAL_PITCH


def _aside(face: Face) -> HeadPose | None:
    """How a head looks past the camera that took it; None where the photo is frontal, as far as landmarks can tell."""
    pose = pose_from_landmarks(face.landmarks)
    yaw = LAID_BACK * pose.yaw if abs(pose.yaw) > FRONTAL_YAW else 0.0
    pitch = LAID_BACK * pose.pitch if abs(pose.pitch) > FRONTAL_PITCH else 0.0
    return HeadPose(yaw=yaw, pitch=pitch) if yaw or pitch else None


def _face_of(photo: bytes, engine: Engine) -> tuple[Frame, Face]:
    frame = decode_image(photo)
    return frame, engine.refine(frame, engine.single_face(frame))
