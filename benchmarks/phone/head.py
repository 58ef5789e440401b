"""A moving head rendered from one photo: a depth model under a pinhole camera.

Units are millimetres in head space (x right, y down, z towards the camera, origin between the eyes on the face's
surface), pixels in images. The head is an ellipsoid with a bump for the nose; pixels nearer to the camera shift more
when the head turns. Proportions are rounded adult means (DIN 33402-2, ISO 7250-1): 63 mm between the pupils, 150 mm
breadth, 220 mm from chin to crown, nose about 20 mm proud of the face.
"""

from dataclasses import dataclass, field, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Values = NDArray[np.float32]

PUPIL_DISTANCE = 63.0
HALF_BREADTH = 78.0
HALF_HEIGHT = 112.0
HALF_DEPTH = 92.0
CENTRE_BELOW_EYES = 22.0
NOSE_HEIGHT = 19.0
NOSE_BREADTH = 11.0
NOSE_LENGTH = 17.0
NECK = np.array([0.0, 75.0, -95.0])
"""The point that the head turns about, in head space: the top of the spine, behind and below the face."""

FRAME_WIDTH, FRAME_HEIGHT = 480, 640
FOCAL = 520.0
"""Focal length in pixels: a front camera of about 50 degrees across 480 pixels."""

RAY_STEPS = 6
MAP_SCALE = 4
"""The sampling map is computed on every fourth pixel and interpolated: it is smooth, and this is 16 times cheaper."""

LIGHT_SCALE = 16
LIGHT_REFERENCE = 400.0
WALL_BEHIND = 1500.0
"""Millimetres from the head to whatever is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPose:
    """Where the head is. Angles in degrees: yaw to the person's left, pitch up, roll clockwise in the picture."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 420.0
    """From the camera to the point between the eyes, in mm."""
    shift_x: float = 0.0
    shift_y: float = 0.0
    """Of the head across the picture, in mm."""

    def moved(self, **changes: float) -> "HeadPose":
        return replace(self, **changes)


def rotation(pose: HeadPose) -> Points:
    """Head space to camera space, (3, 3). Right-handed about x right, y down, z to the camera."""
    yaw, pitch, roll = np.radians([pose.yaw, pose.pitch, pose.roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def head_depth(x: Values, y: Values, nose_y: float) -> Values:
    """z of the head's surface over (x, y) in mm, 0 at the ellipsoid's front; falls to its middle plane outside."""
    squared = x * x
    inside = 1 - squared / HALF_BREADTH**2 - ((y - CENTRE_BELOW_EYES) / HALF_HEIGHT) ** 2
    bowl = HALF_DEPTH * (np.sqrt(np.maximum(inside, 0)) - 1)
    nose = NOSE_HEIGHT * cv2.exp(-squared / NOSE_BREADTH**2 - ((y - nose_y) / NOSE_LENGTH) ** 2)
    return np.asarray(bowl + nose, np.float32)


@dataclass(frozen=True, slots=True)
class Head:
    """One person's photo with the depth model laid over it by the five landmarks."""

    photo: NDArray[np.uint8]
    to_photo: Points
    """(2, 3): projection in mm, frontal or `turned`, → pixels of the photo (similarity; undoes the photo's roll)."""
    nose_y: float
    rest_distance: float = field(default=420.0)
    turned: HeadPose | None = None
    """How the head is turned on the photo, yaw and pitch; None: it looks into the camera."""

    @classmethod
    def from_photo(
        cls, photo: NDArray[np.uint8], landmarks: NDArray[np.float32], *, turned: HeadPose | None = None
    ) -> "Head":
        """`photo`: uint8 (H, W, 3) BGR; `landmarks`: (5, 2) pixels in YuNet's order; `turned` by yaw and pitch."""
        eyes, mouth = landmarks[:2].astype(float), landmarks[3:].astype(float)
        across = eyes[1] - eyes[0]
        squeezed = 1.0 if turned is None else float(np.cos(np.radians(turned.yaw)))
        scale = float(np.hypot(*across)) / (PUPIL_DISTANCE * squeezed)
        cos, sin = across / np.hypot(*across)
        turn = scale * np.array([[cos, -sin], [sin, cos]])
        middle = eyes.mean(axis=0) - turn @ _between_the_eyes(turned)
        nose = np.linalg.solve(turn, landmarks[2] - middle)
        lips = np.linalg.solve(turn, mouth.mean(axis=0) - middle)
        nose_y = float(np.clip(nose[1], 25.0, max(30.0, 0.75 * lips[1])))
        return cls(photo, np.column_stack([turn, middle]), nose_y, turned=turned)

    def render(self, pose: HeadPose) -> NDArray[np.uint8]:
        """The camera's picture: uint8 (640, 480, 3) BGR."""
        x, y = self._sampling_map(pose)
        photo = cv2.cvtColor(self.photo, cv2.COLOR_BGR2BGRA)  # OpenCV samples four channels three times as fast
        seen = cv2.remap(photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR), np.uint8)

    def nearness(self, pose: HeadPose) -> NDArray[np.float32]:
        """Light of a lamp beside the lens by place, as a share of that on a surface that faces it at 400 mm, (40, 30).

        Lambert's law on the ellipsoid, inverse square of the distance; the room behind is a wall.
        """
        rays = _rays(LIGHT_SCALE)
        local = self._meet(rays, pose)
        lever = np.array([1 / HALF_BREADTH, 1 / HALF_HEIGHT, 1 / HALF_DEPTH], np.float32) ** 2
        normal = (local - np.array([0, CENTRE_BELOW_EYES, -HALF_DEPTH], np.float32)) * lever
        normal = normal @ rotation(pose).T.astype(np.float32)
        facing = normal[..., 2] / np.maximum(np.linalg.norm(normal, axis=-1), 1e-9)
        away = pose.distance - local[..., 2]
        head = np.clip(facing, 0, 1) * (LIGHT_REFERENCE / away) ** 2
        wall = (LIGHT_REFERENCE / (pose.distance + WALL_BEHIND)) ** 2
        on_head = _head_weight(self._frontal(local)) ** 3
        return np.asarray(on_head * head + (1 - on_head) * wall, np.float32)

    def _sampling_map(self, pose: HeadPose) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For every pixel of the frame, where in the photo its colour comes from."""
        rays = _rays(MAP_SCALE)
        resting = HeadPose(distance=pose.distance, shift_x=pose.shift_x, shift_y=pose.shift_y)
        coarse = self._frontal(self._meet(_rays(2 * MAP_SCALE), resting))
        frontal = np.asarray(cv2.resize(coarse, rays.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        weight = _head_weight(frontal)
        x, y, width, height = cv2.boundingRect((weight > 0).astype(np.uint8))
        head = np.s_[y : y + height, x : x + width]
        moved = self._on_photo(self._meet(rays[head], pose))
        frontal[head] += weight[head][..., None] * (moved - frontal[head])
        return self._photo_map(frontal)

    def _meet(self, rays: Values, pose: HeadPose) -> Values:
        """Where each ray meets the posed surface, in head space, mm: fixed-point steps along the ray."""
        turn = rotation(pose)
        at = np.array([pose.shift_x, pose.shift_y, -pose.distance]) + NECK
        x0, y0, z0 = (np.float32(value) for value in NECK - at @ turn)
        across, down, toward = np.moveaxis(rays @ turn.astype(np.float32), -1, 0)
        depth = np.full(rays.shape[:2], pose.distance, np.float32)
        for _ in range(RAY_STEPS):
            x, y, z = depth * across + x0, depth * down + y0, depth * toward + z0
            depth += np.clip(np.float32(0.8) * (z - head_depth(x, y, self.nose_y)), -40, 40)
        return np.stack([x, y, z], axis=-1)

    def _frontal(self, local: Values) -> Values:
        """(x, y) of the frontal projection at rest, mm."""
        nearness = self.rest_distance / (self.rest_distance - local[..., 2:])
        return np.asarray(local[..., :2] * nearness, np.float32)

    def _on_photo(self, local: Values) -> Values:
        """(x, y) of the head as it was photographed, mm; what the photo's turn hides comes from what hides it."""
        return self._frontal(local if self.turned is None else local @ rotation(self.turned).T.astype(np.float32))

    def _photo_map(self, frontal: Values) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        source = frontal @ self.to_photo[:, :2].T.astype(np.float32) + self.to_photo[:, 2].astype(np.float32)
        size = (FRAME_WIDTH, FRAME_HEIGHT)
        x, y = (cv2.resize(source[..., axis], size, interpolation=cv2.INTER_LINEAR) for axis in (0, 1))
        return x.astype(np.float32), y.astype(np.float32)


@cache
def _rays(scale: int) -> Values:
    """Directions through the centres of a coarse map's cells, x right, y down, z to the camera, (h, w, 3)."""
    across = (np.arange(FRAME_WIDTH // scale) + 0.5) * scale - 0.5
    down = (np.arange(FRAME_HEIGHT // scale) + 0.5) * scale - 0.5
    u, v = np.meshgrid(across, down)
    rays = [(u - FRAME_WIDTH / 2) / FOCAL, (v - FRAME_HEIGHT * 0.47) / FOCAL, -np.ones_like(u)]
    return np.stack(rays, axis=-1).astype(np.float32)


def _between_the_eyes(turned: HeadPose | None) -> Points:
    """(x, y) in mm of the middle of both pupils, which lie behind the surface between them, on the photo of a head."""
    if turned is None:
        return np.zeros(2)
    pupil, level = np.full((1, 1), PUPIL_DISTANCE / 2, np.float32), np.zeros((1, 1), np.float32)
    return np.asarray(rotation(turned)[:2, 2] * head_depth(pupil, level, nose_y=np.inf)[0, 0])


def _head_weight(frontal: Values) -> Values:
    """1 on the head, falling smoothly to 0 at 1.8 times its outline: the trunk and the room stay where they are."""
    x, y = frontal[..., 0] / HALF_BREADTH, (frontal[..., 1] - CENTRE_BELOW_EYES) / HALF_HEIGHT
    fall = np.clip((1.8 - np.hypot(x, y)) / 0.75, 0, 1)
    return np.asarray(fall * fall * (3 - 2 * fall), np.float32)
