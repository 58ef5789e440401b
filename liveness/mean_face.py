"""The mean face that geometry is measured against: its units, its depth, its nose.

Coordinates are face units: origin between the eyes of the reference view, x along their line to the right of the
picture, y down, in distances between the eyes. Proportions are rounded adult means (Farkas, "Anthropometry of the Head
and Face", 1994; 63 mm between the pupils).
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Floats = NDArray[np.float64]

MIDDLE = 0.35
"""Where the bowl of the face is deepest towards the camera."""
BREADTH_CURVATURE = 1.7
"""x^2 / 1.7: a cheek 45 mm from the middle lies 19 mm behind."""
HEIGHT_CURVATURE = 3.6
"""A face curves less from brow to chin than from ear to ear."""
NOSE_HEIGHT = 0.3
"""19 mm."""
NOSE_BREADTH, NOSE_LENGTH, NOSE_BELOW_EYES = 0.2, 0.3, 0.6
"""A nose is some 34 mm broad and 50 long, its tip 38 mm below the line of the eyes."""


def in_face_units(points: Points, landmarks: Points) -> Floats:
    """`points`: (N, 2) pixels; `landmarks`: (5, 2) pixels of the reference view, eyes apart.

    In complex numbers (x + iy) shift, turn and scale are one difference and one division.
    """
    right, left = (complex(*eye) for eye in landmarks[:2].tolist())
    places = np.ascontiguousarray(points, np.float64).view(np.complex128)
    return ((places - (right + left) / 2) / (left - right)).view(np.float64)


def nose_bump(points: Floats) -> Floats:
    """The nose's own shape, 1 at its tip: exp(-(x / breadth)^2 - ((y - below) / length)^2), (N,)."""
    x, y = points[:, 0], points[:, 1]
    return np.asarray(np.exp(-((x / NOSE_BREADTH) ** 2) - ((y - NOSE_BELOW_EYES) / NOSE_LENGTH) ** 2))


def depth(points: Floats) -> Floats:
    """Towards the camera, (N,): a bowl, and the nose on it."""
    x, y = points[:, 0], points[:, 1]
    bowl = -(x**2) / BREADTH_CURVATURE - (y - MIDDLE) ** 2 / HEIGHT_CURVATURE
    return np.asarray(bowl + NOSE_HEIGHT * nose_bump(points))
