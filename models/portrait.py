"""The portrait in an ID photo as it comes: upright or turned, alone, on a card or on a page of a passport.

The photo is looked at as it lies. Only if that shows no face, none with its eyes above its mouth, or one that the
detector is less than sure of, it is turned by quarters too. A face upside down is often found, with a mouth for eyes,
but with a lower score than the right way up: so the score decides, and what lies upright keeps its result.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np

from models.detection import Detector, Face
from models.embedding import Embedding, cosine
from models.errors import FaceError
from models.image import DEFAULT_LIMITS, Frame, ImageLimits, decode_image

LEAST_EYE_DISTANCE = 24.0
"""Pixels between the eyes below which a photo is refused. ICAO 9303 asks for 90 on ID photos; SFace's own input has 35,
so that a face of fewer than two thirds of that is mostly invented by enlargement."""
BYSTANDER = 0.5
"""Another face of at least this share of the largest one's height makes it unclear who is meant; a smaller one is
behind: somebody who passes by, a picture on the wall, the ghost image of a card."""
GHOST = 0.7
"""A face of up to this share of the largest one's height may be its ghost image: the same portrait again, smaller."""
SAME_PORTRAIT = 0.5
"""Least cosine of a ghost image and its portrait: more than policies ask of two photos of one person. Nine in ten ghost
images of that size on rendered cards have 0.55."""
SURE = 0.91
"""Score from which a face lies the right way up. YuNet gives faces of LFW 0.93 in the median; turned by a quarter or
half, 0.902 at the most (555 photos of the people whom networks are trained on: benchmarks/people_split.py). One photo
in thirty has less the right way up, and is looked at four times."""
CLEARLY = 0.02
"""By how much a turned photo's score must be better. In the same photos the right way up led by 0.0245 or more."""
ELSEWHERE = 0.8
"""Score from which a face at another place, that stands upright in another turn alone, is a second person. Faces the
right way up had 0.858 or more in the same photos; below is hair, or a pattern, that looks like a face."""
FIRST_LOOK = 640
"""Pixels of the longer side at which a large photo is looked at first: twice as many as the detector's first pass."""
ENOUGH = 70.0
"""Pixels between the eyes with which that look does: twice as many as an aligned face has (`models.alignment`), which
is made of the whole photo by halving it no further than that."""
QUARTERS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo turned upright, and the face that it is of, in pixels of that photo."""

    frame: Frame
    face: Face


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found in a photo after so many quarter turns clockwise; faces are largest first."""

    quarters: int
    faces: tuple[Face, ...]

    @property
    def score(self) -> float:
        """The best of the faces that stand upright, 0 to 1; 0 without one."""
        return max((face.score for face in self.faces if _stands(face)), default=0.0)


Embed = Callable[[Frame, Face], Embedding]


def read_portrait(photo: bytes, *, detector: Detector, embed: Embed, limits: ImageLimits = DEFAULT_LIMITS) -> Portrait:
    """As `find_portrait`, of a photo in its bytes, for a comparison: at a reduced scale where that is enough.

    A large JPEG is decoded whole only if its face is small (`ENOUGH`) or it is refused: errors speak of the whole.

    Raises:
        ImageError: as `models.image.decode_image`. FaceError, ModelError: as `find_portrait`.
    """
    look = decode_image(photo, limits=limits, least=FIRST_LOOK)
    if look.reduction > 1:
        with suppress(FaceError):
            found = find_portrait(look, detector=detector, embed=embed)
            if found.face.eye_distance >= ENOUGH:
                return found
        look = decode_image(photo, limits=limits)
    return find_portrait(look, detector=detector, embed=embed)


def find_portrait(frame: Frame, *, detector: Detector, embed: Embed) -> Portrait:
    """The portrait of an ID photo; `embed` tells a ghost image from a second person.

    Raises:
        FaceError: `face_none`, `face_several`, `face_too_small`. ModelError: as `embed`.
    """
    first = _Look(0, detector.detect(frame))
    if first.score >= SURE:
        return _portrait(frame, first.faces, embed)
    turned = [_Look(quarters, detector.detect(_turned(frame, quarters))) for quarters in (1, 2, 3)]
    best = max(turned, key=lambda look: look.score)
    if best.score < first.score + CLEARLY or not _stands(best.faces[0]):
        return _portrait(frame, first.faces, embed)
    upright = _turned(frame, best.quarters)
    _refuse_elsewhere(best, [first, *(look for look in turned if look is not best)], frame.pixels.shape)
    found = _portrait(upright, best.faces, embed)
    return Portrait(upright, detector.refine(upright, found.face))


def single_face(faces: Sequence[Face], *, is_ghost: Callable[[Face, Face], bool] | None = None) -> Face:
    """The one face that a photo is of, among all that it shows, largest first.

    `is_ghost` says of a smaller face and the largest whether they are the same portrait; without it none is.

    Raises:
        FaceError: `face_none`, `face_several`, `face_too_small`.
    """
    if not faces:
        raise FaceError(
            "face_none",
            "no face was found; send a sharp photo that shows the face from the front, or a card or page that fills "
            "it, without glare",
        )
    main = faces[0]
    rivals = [face for face in faces[1:] if _height(face) >= BYSTANDER * _height(main)]
    people = [face for face in rivals if is_ghost is None or not is_ghost(face, main)]
    if people:
        raise _several(1 + len(people))
    if main.eye_distance < LEAST_EYE_DISTANCE:
        found = f"{main.eye_distance:.0f} pixels between the eyes"
        message = (
            f"the face has {found}, {LEAST_EYE_DISTANCE:.0f} are needed; send a larger photo, of a card one from nearer"
        )
        raise FaceError("face_too_small", message)
    return main


def _portrait(frame: Frame, faces: Sequence[Face], embed: Embed) -> Portrait:
    def is_ghost(face: Face, main: Face) -> bool:
        if _height(face) > GHOST * _height(main):
            return False
        return cosine(embed(frame, face), embed(frame, main)) >= SAME_PORTRAIT

    return Portrait(frame, single_face(faces, is_ghost=is_ghost))


def _refuse_elsewhere(best: _Look, others: Sequence[_Look], shape: Sequence[int]) -> None:
    """Somebody who stands upright only when the photo lies otherwise is a second person too.

    Raises:
        FaceError: `face_several`.
    """
    known = [_box_as_it_came(face, best.quarters, shape) for face in best.faces]
    least = BYSTANDER * _height(best.faces[0])
    for look in others:
        near = [face for face in look.faces if face.score >= ELSEWHERE and _height(face) >= least]
        boxes = [_box_as_it_came(face, look.quarters, shape) for face in near]
        if any(not any(_same_place(box, each) for each in known) for box in boxes):
            raise _several(2)


def _several(count: int) -> FaceError:
    message = (
        f"{count} faces were found; send a photo that shows one person; of a card or page with several portraits, cut "
        "out the main one"
    )
    return FaceError("face_several", message)


def _stands(face: Face) -> bool:
    """Whether the eyes are above the mouth: nearer to that than to lying on a side."""
    (right_x, right_y), (left_x, left_y), _, (corner_x, corner_y), (other_x, other_y) = face.landmarks.tolist()
    across, down = corner_x + other_x - right_x - left_x, corner_y + other_y - right_y - left_y
    return bool(down > abs(across))


def _height(face: Face) -> float:
    return float(face.box[3])


def _turned(frame: Frame, quarters: int) -> Frame:
    return Frame(np.asarray(cv2.rotate(frame.pixels, QUARTERS[quarters - 1]), np.uint8))


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _box_as_it_came(face: Face, quarters: int, shape: Sequence[int]) -> Box:
    """A face's box in the photo of `shape` (H, W, …) before it was turned."""
    x, y, breadth, height = (float(each) for each in face.box)
    left, top, right, bottom = x, y, x + breadth, y + height
    sides = (shape[1], shape[0]) if quarters % 2 == 0 else (shape[0], shape[1])
    for undone in range(quarters):
        width = sides[undone % 2]
        left, top, right, bottom = top, width - right, bottom, width - left
    return left, top, right, bottom


def _same_place(one: Box, other: Box) -> bool:
    """Whether the middle of either box is inside the other."""
    return _holds(one, other) or _holds(other, one)


def _holds(box: Box, other: Box) -> bool:
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
