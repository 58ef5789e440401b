"""Tracks the texture of a face from frame to frame: luma in, point correspondences out.

Sparse pyramidal Lucas-Kanade (Lucas & Kanade 1981; Bouguet 2000, OpenCV's implementation) on good features (Shi &
Tomasi 1994), checked forwards and backwards (Kalal et al. 2010). Unlike a landmark network these points have no idea
of what a face looks like, so a turned photo cannot make them move like a head.
"""

from dataclasses import dataclass
from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from models.plane_similarity import fitted

Points = NDArray[np.float32]
Grey = NDArray[np.uint8]
Values = NDArray[np.float32]

MOST_POINTS = 64
MOST_ON_NOSE = 24
LEAST_POINTS = 12
LEAST_SURVIVED = 0.3
"""Share of the reference's points below which what is left is no sample of the face any more."""
WINDOW = (17, 17)
LEVELS = 1
"""Halvings of the picture; with a window of 17 a point may lie some 17 pixels from where the landmarks carry it."""
BORDER = 4
"""Pixels around a mask that its features' own neighbourhood reaches into."""
SURROUNDINGS = 40
"""Pixels around the points that are looked at: what lies further away does not matter to them."""
MOSTLY = 0.9
"""Share of the points that is found from one frame to the next unless light, or the face, changed much."""
CELL = 8
"""Side in pixels of the cells in which brightness is known."""
BACK_ERROR_PX = 0.7
"""A point that does not come back to within this distance when tracked backwards is lost: at 1.0 points drift along
edges of a picture that is turned by 50 degrees, at 0.5 too few are left in poor light."""
FACE_ELLIPSE = (1.9, 2.3)
"""Half-axes of the region that is tracked, in distances between the eyes, about the middle of eyes and mouth."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Texture points of one face: where they were in the reference frame and where they are now.

    `reference`, `current`: float32 (N, 2) pixels of their frames, x right y down, row i of both is the same point.
    `landmarks`: float32 (5, 2), the face's landmarks in the reference frame (YuNet's order).
    `seeded`: how many points the reference frame gave. `last_landmarks` and `grey` (uint8 (H, W), calmed)
    belong to the newest frame.
    """

    reference: Points
    current: Points
    landmarks: Points
    seeded: int
    last_landmarks: Points
    grey: NDArray[np.uint8]

    @property
    def usable(self) -> bool:
        """Whether enough of the face is still tracked to measure anything by it."""
        return len(self.current) >= LEAST_POINTS and self.survived >= LEAST_SURVIVED

    @property
    def survived(self) -> float:
        """Share of the reference frame's points that are still tracked, 0 to 1."""
        return len(self.current) / self.seeded if self.seeded else 0.0


def seed_tracks(grey: Grey, landmarks: Points) -> Tracks:
    """Start tracks on a frame. `grey`: its luma, uint8 (H, W); `landmarks`: (5, 2) pixels."""
    grey = _calmed(grey)
    nose = _nose_mask(grey.shape, landmarks)
    face = np.where(nose > 0, np.uint8(0), _face_mask(grey.shape, landmarks))
    spacing = max(2.0, 0.08 * _eye_distance(landmarks))
    points = np.concatenate(
        [_features(grey, face, MOST_POINTS, spacing), _features(grey, nose, MOST_ON_NOSE, 0.75 * spacing)]
    )
    return Tracks(points, points, landmarks, len(points), landmarks, grey)


def follow_tracks(tracks: Tracks, grey: Grey, landmarks: Points) -> Tracks:
    """The same tracks on the next frame of the same size; points that cannot be followed are dropped."""
    if not len(tracks.current):
        return Tracks(tracks.reference, tracks.current, tracks.landmarks, tracks.seeded, landmarks, grey)
    grey = _calmed(grey)
    guess = _carried(tracks.current, tracks.last_landmarks, landmarks)
    left, top, right, bottom = _surroundings(np.concatenate([tracks.current, guess]), grey.shape)
    before, after = tracks.grey[top:bottom, left:right], grey[top:bottom, left:right]
    corner = np.array([left, top], np.float32)
    here, guess = tracks.current - corner, guess - corner
    there, kept = _there_and_back(before, after, here, guess)
    if np.mean(kept) < MOSTLY:
        lit = _equally_lit(before, after, gain=_gain(before, here, after, guess))
        there, kept = max((there, kept), _there_and_back(*lit, here, guess), key=lambda found: np.sum(found[1]))
    return Tracks(tracks.reference[kept], there[kept] + corner, tracks.landmarks, tracks.seeded, landmarks, grey)


def _calmed(grey: Grey) -> Grey:
    """Half of a sensor's noise: in poor light it would pass for texture, and lead points astray."""
    return np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)


def _features(grey: Grey, mask: NDArray[np.uint8], most: int, spacing: float) -> Points:
    """The best features inside a mask, (N, 2); the nose has a budget of its own, since eyes and mouth have more."""
    x, y, width, height = cv2.boundingRect(mask)
    left, top = max(0, x - BORDER), max(0, y - BORDER)
    part = np.s_[top : y + height + BORDER, left : x + width + BORDER]
    found = cv2.goodFeaturesToTrack(
        grey[part], most, qualityLevel=0.005, minDistance=spacing, mask=mask[part], blockSize=5
    )
    points = np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2).astype(np.float32)
    return points + np.array([left, top], np.float32)


def _surroundings(points: Points, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of a frame in which points are looked for; never empty."""
    height, width = shape[:2]
    left, right = _ends(points[:, 0], width)
    top, bottom = _ends(points[:, 1], height)
    return left, top, right, bottom


def _ends(places: NDArray[np.float32], size: int) -> tuple[int, int]:
    """First and last but one pixel of one axis of `size` pixels; all of it if a place is not finite."""
    least, most = float(places.min()), float(places.max())
    if not (isfinite(least) and isfinite(most)):
        return 0, size
    first, last = (int(min(max(place, 0.0), size - 1.0)) for place in (least, most))
    return max(0, first - SURROUNDINGS), min(size, last + SURROUNDINGS + 1)


def _gain(before: Grey, here: Points, after: Grey, there: Points) -> float:
    """Brightness of the points' surroundings after ÷ before, median over the points; 1 where nothing can be said.

    The method takes a point's brightness for constant: a camera that exposes anew (7 % from frame to frame) would lose
    three points of four on a smooth face that does not move. A mean over the face as a whole would take a turn, which
    moves the room and the hair, for another exposure.
    """
    then, now = _brightness(before, here), _brightness(after, there)
    lit = (then > 0) & (now > 0)
    return float(np.median(now[lit] / then[lit])) if lit.any() else 1.0


def _brightness(grey: Grey, points: Points) -> Values:
    """Means of the picture about points, each over some 16 pixels across, float32 (N,)."""
    means = cv2.resize(grey, None, fx=1 / CELL, fy=1 / CELL, interpolation=cv2.INTER_AREA)
    cells = (points + np.float32(0.5)) / np.float32(CELL) - np.float32(0.5)
    x, y = cells[:, :1], cells[:, 1:]
    found = cv2.remap(means.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[:, 0], np.float32)


def _equally_lit(before: Grey, after: Grey, *, gain: float) -> tuple[Grey, Grey]:
    """Both as bright as the darker one: nothing is clipped."""
    if gain > 1:
        return before, _scaled(after, 1 / gain)
    return _scaled(before, gain), after


def _scaled(grey: Grey, factor: float) -> Grey:
    return np.asarray(cv2.convertScaleAbs(grey, alpha=factor), np.uint8)


def _there_and_back(before: Grey, after: Grey, here: Points, guess: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where points went, (N, 2), and which of them come back to where they were, (N,)."""
    there, found = _flow(before, after, here, guess)
    back, returned = _flow(after, before, there, here)
    return there, found & returned & (np.hypot(*(back - here).T) < BACK_ERROR_PX)


def _flow(before: Grey, after: Grey, points: Points, guess: Points) -> tuple[Points, NDArray[np.bool_]]:
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, guess.copy(), winSize=WINDOW, maxLevel=LEVELS, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    return there.reshape(-1, 2).astype(np.float32), status.ravel() == 1


def _carried(points: Points, before: Points, after: Points) -> Points:
    """Where the landmarks' similarity would put the points: bridges a late frame's larger step."""
    moved = fitted(before, after)
    if moved is None:
        return points
    places = np.ascontiguousarray(points, np.float64).view(np.complex128)
    carried = (places - moved.from_middle) * moved.factor + moved.to_middle
    return np.asarray(carried.astype(np.complex64).view(np.float32), np.float32)


def _face_mask(shape: tuple[int, ...], landmarks: Points) -> NDArray[np.uint8]:
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    across = landmarks[1] - landmarks[0]
    axes = tuple(float(axis * _eye_distance(landmarks)) for axis in FACE_ELLIPSE)
    centre = tuple(float(value) for value in (eyes + mouth) / 2)
    mask = np.zeros(shape[:2], np.uint8)
    cv2.ellipse(mask, (centre, axes, float(np.degrees(np.arctan2(across[1], across[0])))), 255, -1)
    return mask


def _nose_mask(shape: tuple[int, ...], landmarks: Points) -> NDArray[np.uint8]:
    """The back of the nose and its tip, without eyes and mouth."""
    across = landmarks[1] - landmarks[0]
    distance = _eye_distance(landmarks)
    centre = tuple(float(value) for value in landmarks[2])
    mask = np.zeros(shape[:2], np.uint8)
    angle = float(np.degrees(np.arctan2(across[1], across[0])))
    cv2.ellipse(mask, (centre, (0.35 * distance, 0.5 * distance), angle), 255, -1)
    return mask


def _eye_distance(landmarks: Points) -> float:
    return float(np.hypot(*(landmarks[1] - landmarks[0])))
