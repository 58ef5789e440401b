"""Makes people of photos: who stands in front of the camera."""

from dataclasses import replace
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

Landmarks = NDArray[np.float32]
"""(5, 2), as `models.detection.Face` has them."""

FRONTAL_YAW, FRONTAL_PITCH = 10.0, 13.0
"""Degrees off the camera up to which a photo can pass for an ID photo. Pitch from landmarks has the larger spread."""
PLACES = (-0.06, 0.0, 0.06)
"""Shares of the box by which crops are moved across and down to look at a face anew."""
SEEN = tuple(HeadPose(yaw=yaw, distance=460.0) for yaw in (-25.0, 0.0, 25.0))
"""Where most of what is behind a head shows: as far off and as far turned as people come."""
MIRRORED = (1, 0, 2, 4, 3)
"""Which landmark of a picture each is in its mirror image."""
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
    frame, face = face_of(photo, engine)
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
    """Whether a photo shows one face that looks into the camera, and nobody else, nor does a head that is made of it:
    the renderer takes along whoever stands behind.

    Raises FaceError, ImageError.
    """
    frame, face = face_of(photo, engine)
    pose = pose_from_landmarks(face.landmarks)
    if len(engine.detect(frame)) > 1 or abs(pose.yaw) > FRONTAL_YAW or abs(pose.pitch) > FRONTAL_PITCH:
        return False
    head = Head.from_photo(frame.pixels, face.landmarks)
    return all(len(engine.detect(Frame(head.render(seen)))) == 1 for seen in SEEN)


def _aside(face: Face) -> HeadPose | None:
    """How a head looks past the camera that took it; None where the photo is frontal, as far as landmarks can tell."""
    pose = pose_from_landmarks(face.landmarks)
    yaw = LAID_BACK * pose.yaw if abs(pose.yaw) > FRONTAL_YAW else 0.0
    pitch = LAID_BACK * pose.pitch if abs(pose.pitch) > FRONTAL_PITCH else 0.0
    return HeadPose(yaw=yaw, pitch=pitch) if yaw or pitch else None


def face_of(photo: bytes, engine: Engine) -> tuple[Frame, Face]:
    """The one face of a photo, with steady landmarks. Raises FaceError, ImageError."""
    frame = decode_image(photo)
    face = engine.refine(frame, engine.single_face(frame))
    return frame, replace(face, landmarks=steady_landmarks(frame, face, engine))


def steady_landmarks(frame: Frame, face: Face, engine: Engine) -> Landmarks:
    """Landmarks that hang neither on where a crop begins nor on what is left and right: means over many looks, (5, 2).

    The detector that is tried out is the one that people are made with, and one look of it wavers: by 3 degrees of yaw
    (standard deviation over 148 photos), and by 2 more to one side than to the other.
    """
    width = frame.pixels.shape[1]
    mirrored = _around(Frame(frame.pixels[:, ::-1]), _mirrored_box(face.box, width), face, engine)
    looks = [face.landmarks, *_around(frame, face.box, face, engine), *(_mirrored(each, width) for each in mirrored)]
    return np.asarray(np.mean(looks, axis=0), np.float32)


def _around(frame: Frame, box: NDArray[np.float32], face: Face, engine: Engine) -> list[Landmarks]:
    """Landmarks by the looks that show one face, one from each place about its box."""
    side = float(box[2:].max())
    boxes = [box + np.array([x * side, y * side, 0, 0], np.float32) for x in PLACES for y in PLACES]
    found = [engine.around(frame, replace(face, box=moved)) for moved in boxes]
    return [faces[0].landmarks for faces in found if len(faces) == 1]


def _mirrored_box(box: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    x, y, across, down = box.tolist()
    return np.array([width - x - across, y, across, down], np.float32)


def _mirrored(landmarks: Landmarks, width: int) -> Landmarks:
    back = np.array([width, 0], np.float32) + landmarks * np.array([-1, 1], np.float32)
    return np.asarray(back[list(MIRRORED)], np.float32)
