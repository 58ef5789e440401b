"""Makes actors of photos: who stands in front of the camera, and what is held before it."""

from random import Random

import numpy as np

from benchmarks.phone.head import Head
from benchmarks.phone.person import Person
from benchmarks.phone.photo_holder import PhotoHolder
from models.detection import Face
from models.engine import Engine
from models.image import Frame, decode_image
from models.pose import pose_from_landmarks

FRONTAL_YAW, FRONTAL_PITCH = 10.0, 13.0
"""Degrees off the camera up to which a photo can pass for an ID photo. Pitch from landmarks has the larger spread."""


def living(photo: bytes, *, engine: Engine, rng: Random) -> Person:
    """A person with the face of a photo, who follows the cues."""
    frame, face = _face_of(photo, engine)
    return Person(Head.from_photo(frame.pixels, face.landmarks), rng)


def flat_sheet(photo: bytes, *, engine: Engine, rng: Random) -> PhotoHolder:
    """Somebody who holds the photo flat at 15 to 60 cm and turns it by up to 60 degrees as the cues ask."""
    frame, face = _face_of(photo, engine)
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    return PhotoHolder(
        frame.pixels,
        eye_distance=eyes,
        rng=rng,
        distance_cm=rng.uniform(15, 60),
        turn_degrees=rng.uniform(20, 60),
    )


def frontal(photo: bytes, *, engine: Engine) -> bool:
    """Whether a photo's one face looks into the camera. Raises FaceError, ImageError."""
    pose = pose_from_landmarks(_face_of(photo, engine)[1].landmarks)
    return abs(pose.yaw) <= FRONTAL_YAW and abs(pose.pitch) <= FRONTAL_PITCH


def _face_of(photo: bytes, engine: Engine) -> tuple[Frame, Face]:
    frame = decode_image(photo)
    return frame, engine.refine(frame, engine.single_face(frame))
