"""Makes actors of photos: who stands in front of the camera, and what is held before it."""

from random import Random

import numpy as np

from benchmarks.phone.head import Head
from benchmarks.phone.person import Person
from benchmarks.phone.photo_holder import PhotoHolder
from models.detection import Face
from models.engine import Engine
from models.image import Frame, decode_image

HOLD_CM = (25.0, 40.0)
TURN_DEGREES = (25.0, 40.0)


def living(photo: bytes, *, engine: Engine, rng: Random) -> Person:
    """A person with the face of a photo, who follows the cues."""
    frame, face = _face_of(photo, engine)
    return Person(Head.from_photo(frame.pixels, face.landmarks), rng)


def holding(photo: bytes, *, engine: Engine, rng: Random) -> PhotoHolder:
    """Somebody who holds the photo before the camera and moves it as the cues ask."""
    frame, face = _face_of(photo, engine)
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    return PhotoHolder(
        frame.pixels,
        eye_distance=eyes,
        rng=rng,
        distance_cm=rng.uniform(*HOLD_CM),
        turn_degrees=rng.uniform(*TURN_DEGREES),
    )


def _face_of(photo: bytes, engine: Engine) -> tuple[Frame, Face]:
    frame = decode_image(photo)
    return frame, engine.refine(frame, engine.single_face(frame))
