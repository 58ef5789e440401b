"""A face sample (ISO/IEC 29794): one face of one photo in all forms that its quality is measured in, and its zones.

Zones are rectangles and ovals about five landmarks. OFIQ (BSI, Open Source Face Image Quality 1.x), the reference
implementation of ISO/IEC 29794-5, has 98 landmarks and a parsed face for them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection import Face
from models.face_quality.upright import SIDE, UprightFace, set_upright
from models.illumination import FACE_OVAL
from models.image import Frame
from models.pose import Pose, pose_from_landmarks

Point = NDArray[np.float64]
"""(2,): x, y."""
Zone = tuple[slice, slice]
"""Rows and columns of an upright face."""

CHEEK = 0.3
"""Side of a cheek's zone in distances between the eyes (OFIQ)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The photo, its face, the face set upright, its pose, and where the face itself is, bool (616, 616)."""

    frame: Frame
    face: Face
    upright: UprightFace
    pose: Pose
    oval: NDArray[np.bool_]

    @property
    def eyes(self) -> float:
        """Pixels between the eyes, upright; at least 1."""
        return _eyes(self.upright)

    @property
    def eyes_to_chin(self) -> float:
        """From the eyes' level to the chin, the box's lower edge, in the photo's pixels; at least 1."""
        chin = float(self.face.box[1] + self.face.box[3])
        return max(1.0, chin - float(self.face.landmarks[:2, 1].mean()))

    @property
    def face_luminance(self) -> NDArray[np.uint8]:
        """Of the face's pixels, (N,), N > 0: a face outside its photo is as black as what is not there."""
        found = self.upright.luminance[self.oval]
        return found if found.size else np.zeros(1, np.uint8)

    def cheeks(self) -> tuple[Zone, Zone]:
        """The person's right and left: squares half way from eyes to mouth, outwards of the eyes (OFIQ)."""
        side = max(1.0, CHEEK * self.eyes)
        points = self.upright.landmarks
        (right_x, right_y), (left_x, left_y) = points[:2]
        way = float(np.hypot(*(points[3:].mean(axis=0) - points[:2].mean(axis=0)))) / 2
        return zone(right_x - side, right_y + way, side, side), zone(left_x, left_y + way, side, side)

    def around(self, middle: Point, half_width: float, half_height: float) -> Zone:
        """A rectangle about a point; its halves in distances between the eyes."""
        wide, high = half_width * self.eyes, half_height * self.eyes
        return zone(middle[0] - wide, middle[1] - high, 2 * wide, 2 * high)


def take_sample(frame: Frame, face: Face) -> Sample:
    """Prepare what the measures look at."""
    upright = set_upright(frame, face)
    return Sample(frame, face, upright, pose_from_landmarks(face.landmarks), oval(upright, FACE_OVAL) & upright.known)


def zone(x: float, y: float, width: float, height: float) -> Zone:
    """What of a rectangle lies inside the picture; it may be empty."""
    left, top = max(0, int(x)), max(0, int(y))
    return slice(top, max(top, int(y + height))), slice(left, max(left, int(x + width)))


def oval(upright: UprightFace, axes: tuple[float, float]) -> NDArray[np.bool_]:
    """(616, 616). `axes`: half-axes in distances between the eyes, about the landmarks' middle."""
    x, y = upright.landmarks.mean(axis=0)
    across = ((np.arange(SIDE) - x) / (axes[0] * _eyes(upright))) ** 2
    down = ((np.arange(SIDE) - y) / (axes[1] * _eyes(upright))) ** 2
    return np.asarray(across + down[:, None] <= 1)


def _eyes(upright: UprightFace) -> float:
    return max(1.0, float(np.hypot(*(upright.landmarks[1] - upright.landmarks[0]))))
