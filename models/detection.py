"""Face detection: where is looked, at which size, and how faces are read from a network's outputs.

Networks differ in the last alone. Here it is YuNet's way (Wu, Peng & Yu, "YuNet: a tiny millisecond-level face
detector", MIR 20, 2023); SCRFD's is `models.scrfd`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.image import Frame, halved_to
from models.network import PictureNetwork
from models.pose import Pose

STRIDES = (8, 16, 32)
SCORE = 0.6
"""Least score of a face, as OpenCV's FaceDetectorYN samples set it for this network (0.6 to 0.9)."""
OVERLAP = 0.3
"""Intersection over union beyond which the weaker of two boxes is the same face."""
LARGEST = 10.0
"""Logarithm of a box's side in strides from which on it is larger than any picture; NaN is not below it either."""
FIRST_SIDE = 320
"""Long side of the first pass, in pixels."""
SECOND_SIDE = 960
SMALL_FACE = 40.0
"""A face of fewer pixels across on the first pass's copy is looked for again at a larger size."""
LINEAR_FROM = 0.6
"""Scale from which a copy is made by interpolation: each of its pixels still rests on all pixels beneath it."""
MARGIN = 1.4
"""Side of the crop in which a face is looked for again, in long sides of its box."""
NEAR_SIDE = 224
"""Long side of that crop's copy, in pixels."""
CLEARANCE = 0.04
"""How near to an edge of the crop that is none of the frame a box may come, in the crop's long side: a face that is cut
off gets a small box with landmarks that are guessed, and scores of a whole one."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame, in pixels of that frame, x right y down.

    `box`: float32 (4,) x, y, w, h. `landmarks`: float32 (5, 2), the person's right eye, left eye, nose tip, right and
    left corner of the mouth (the right eye lies to the left in the picture). `score`: 0 to 1. Arrays are read-only.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float

    def __post_init__(self) -> None:
        for array in (self.box, self.landmarks):
            array.flags.writeable = False

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))


Sides = tuple[int, ...]


class Decoder(Protocol):
    """Reads faces from the outputs, by name, of a network on one picture of `sides` pixels: height, width.

    Gives them largest first, in pixels of that picture divided by `scale`.
    """

    def __call__(self, outputs: Mapping[str, NDArray[np.float32]], sides: Sides, scale: float) -> tuple[Face, ...]: ...


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds faces. Thread safe."""

    network: PictureNetwork
    decode: Decoder
    straight: tuple[float, float]
    """As `models.manifest.ModelEntry.straight`."""

    def detect(self, frame: Frame) -> tuple[Face, ...]:
        """All faces, largest first.

        A first pass looks at a copy whose long side is at most 320 pixels; a larger copy is looked at only if that
        showed no face or one that is small on it, and the frame has more to give.
        """
        pixels = frame.pixels
        faces = self._pass(pixels, FIRST_SIDE)
        more_to_see = max(pixels.shape[:2]) > FIRST_SIDE
        scale = min(1.0, FIRST_SIDE / max(pixels.shape[:2]))
        if more_to_see and (not faces or faces[0].box[2] * scale < SMALL_FACE):
            return self._pass(pixels, SECOND_SIDE) or faces
        return faces

    def looks_straight(self, pose: Pose) -> bool:
        """Whether a head with this pose, by this detector's landmarks, looks into the camera."""
        yaw, pitch = self.straight
        return abs(pose.yaw) <= yaw and abs(pose.pitch) <= pitch

    def refine(self, frame: Frame, face: Face) -> Face:
        """The same face with finer landmarks: detected again in a crop around it; itself if that finds nothing."""
        found = self.around(frame, face)
        return min(found, key=lambda other: float(np.hypot(*(_middle(other) - _middle(face)))), default=face)

    def around(self, frame: Frame, face: Face) -> tuple[Face, ...]:
        """All faces in a crop around one, which may be an earlier frame's; largest first, with fine landmarks.

        None if the largest may go on outside of the crop.
        """
        height, width = frame.pixels.shape[:2]
        left, top, right, bottom = _crop(face, width, height)
        crop = frame.pixels[top:bottom, left:right]
        found = self._pass(crop, NEAR_SIDE, enlarge=True) if crop.size else ()
        if found and _cut_off(found[0], crop.shape, (left > 0, top > 0, right < width, bottom < height)):
            return ()
        corner = np.array([left, top], np.float32)
        return tuple(
            Face(each.box + np.array([left, top, 0, 0], np.float32), each.landmarks + corner, each.score)
            for each in found
        )

    def _pass(self, pixels: NDArray[np.uint8], long_side: int, *, enlarge: bool = False) -> tuple[Face, ...]:
        """One run on a copy with the given long side (or the picture itself if it is smaller)."""
        scale = long_side / max(pixels.shape[:2])
        if scale > 1 and not enlarge:
            scale = 1.0
        canvas = _canvas(pixels, scale)
        outputs = dict(zip(self.network.outputs, self.network.run(canvas[None]), strict=True))
        return self.decode(outputs, canvas.shape[:2], scale)


def decode_yunet(outputs: Mapping[str, NDArray[np.float32]], sides: Sides, scale: float) -> tuple[Face, ...]:
    """YuNet's faces (`Decoder`).

    An anchor at column c, row r of stride s says: score sqrt(cls obj), centre (c + dx, r + dy) s, size exp(dw, dh) s,
    landmarks (c + kx, r + ky) s (as the network was trained; libfacedetection.train).
    """
    found = [each for stride in STRIDES for each in _strong(outputs, stride, sides[1] // stride)]
    return distinct_faces(found, scale=scale, score=SCORE, overlap=OVERLAP)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one anchor says. `box`: x, y, w, h and `landmarks`: five times x, y; in pixels of the network's picture."""

    box: Sequence[float]
    landmarks: Sequence[float]
    score: float


def distinct_faces(candidates: Sequence[Candidate], *, scale: float, score: float, overlap: float) -> tuple[Face, ...]:
    """One face for each group of boxes that overlap, largest first, in pixels / `scale`.

    Candidates below `score` do not count. `overlap`: intersection over union beyond which the weaker of two is the same
    face.
    """
    boxes, scores = [each.box for each in candidates], [each.score for each in candidates]
    kept = cv2.dnn.NMSBoxes(boxes, scores, score, overlap) if candidates else ()
    faces = [_face(candidates[place], scale) for place in kept]
    return tuple(sorted(faces, key=lambda face: -float(face.box[2] * face.box[3])))


def _face(found: Candidate, scale: float) -> Face:
    box, landmarks = (np.array([value / scale for value in part], np.float32) for part in (found.box, found.landmarks))
    return Face(box, landmarks.reshape(5, 2), found.score)


def _strong(outputs: Mapping[str, NDArray[np.float32]], stride: int, columns: int) -> Iterator[Candidate]:
    """The anchors of one stride that pass the score. They are few: sooner read one by one than as arrays."""
    classes, objects = outputs[f"cls_{stride}"][0, :, 0], outputs[f"obj_{stride}"][0, :, 0]
    places = (classes * objects >= SCORE**2).nonzero()[0]
    if not len(places):
        return
    scores = np.sqrt(classes[places].clip(0, 1) * objects[places].clip(0, 1)).tolist()
    offsets, ways = (outputs[f"{part}_{stride}"][0].take(places, axis=0).tolist() for part in ("bbox", "kps"))
    for place, score, (dx, dy, dw, dh), points in zip(places.tolist(), scores, offsets, ways, strict=True):
        if not (all(map(isfinite, (dx, dy, *points))) and dw < LARGEST and dh < LARGEST):
            continue
        row, column = divmod(place, columns)
        width, height = stride * exp(dw), stride * exp(dh)
        corner = (column + dx) * stride - width / 2, (row + dy) * stride - height / 2
        landmarks = [(where + cell) * stride for where, cell in zip(points, (column, row) * 5, strict=True)]
        yield Candidate((*corner, width, height), landmarks, score)


def _canvas(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A resized copy, padded with black to the right and below to multiples of the largest stride."""
    source, rest = halved_to(pixels, scale)
    height, width = (max(1, round(side * rest)) for side in source.shape[:2])
    coarsest = STRIDES[-1]
    canvas = np.empty((-(-height // coarsest) * coarsest, -(-width // coarsest) * coarsest, 3), np.uint8)
    canvas[height:], canvas[:height, width:] = 0, 0
    method = cv2.INTER_AREA if rest < LINEAR_FROM else cv2.INTER_LINEAR
    if rest == 1.0:
        canvas[:height, :width] = source
    else:
        cv2.resize(source, (width, height), dst=canvas[:height, :width], interpolation=method)
    return canvas


def _crop(face: Face, width: int, height: int) -> tuple[int, int, int, int]:
    half = MARGIN * float(max(face.box[2], face.box[3])) / 2
    x, y = _middle(face)
    left, top = max(0, int(x - half)), max(0, int(y - half))
    return left, top, min(width, int(x + half) + 1), min(height, int(y + half) + 1)


def _cut_off(face: Face, sides: Sides, inner: tuple[bool, bool, bool, bool]) -> bool:
    """Whether a face of a crop of `sides` pixels (height, width) comes near to an edge behind which the frame goes on.

    `inner`: whether it does to the left, above, to the right, below.
    """
    height, width = sides[:2]
    x, y, across, down = face.box.tolist()
    clearances = (x, y, width - x - across, height - y - down)
    least = CLEARANCE * max(height, width)
    return any(there and clearance < least for there, clearance in zip(inner, clearances, strict=True))


def _middle(face: Face) -> NDArray[np.float32]:
    return np.asarray(face.box[:2] + face.box[2:] / 2)
