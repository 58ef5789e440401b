"""Rendered photos of ID cards: a portrait at a card's scale, with text, lines, a ghost image, glare, lying askew.

Sizes are shares of a card's breadth (ISO/IEC 7810, ID-1: 85.6 x 54 mm). Not of any issuer's design.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.degradations.render import guilloche

Pixels = NDArray[np.uint8]

ASPECT = 54.0 / 85.6
PHOTO = (1200, 1600)
"""Height and width of the photo of the card, before it is turned."""
FACE = 0.22
"""Height of the face, of the card's breadth."""
PAPER = (228, 234, 222)
TABLE = (70, 88, 104)
INK = (60, 50, 45)
LINES_OF_TEXT = 7
QUARTERS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a card was made and photographed."""

    face: float = 100.0
    """Pixels: height of the face in the photo."""
    turn: int = 0
    """Degrees clockwise that the photo is turned: 0, 90, 180, 270."""
    askew: float = 0.0
    """Degrees clockwise that the card lies askew."""
    tilt: float = 0.0
    """Share by which the card's far edge is shorter than its near one."""
    ghost: float | None = None
    """Size of a ghost image, of the portrait's."""
    contrast: float = 0.5
    """Of the ghost image, of the portrait's."""
    glare: float = 0.0
    """Of white, in the middle of a blob over one side of the face."""


def photograph(portrait: Pixels, face: float, card: Card, rng: np.random.Generator, *, beside: Pixels | None) -> Pixels:
    """A photo of a card on a table.

    `portrait`: uint8 (H, W, 3) BGR, of which `face` pixels are the face's height. `beside`: a portrait of somebody else
    at the same scale, where the ghost image would be, as large as `card.ghost` says and in full contrast.
    """
    breadth = round(card.face / FACE)
    flat = _flat(breadth, rng)
    scale = card.face / face
    main = _resized(portrait, scale)
    _put(flat, main, x=0.06 * breadth, y=0.5 * flat.shape[0] - main.shape[0] / 2, opacity=1.0)
    if card.ghost is not None:
        second = _resized(portrait if beside is None else beside, scale * card.ghost)
        opacity = card.contrast if beside is None else 1.0
        _put(flat, second, x=0.93 * breadth - second.shape[1], y=0.9 * flat.shape[0] - second.shape[0], opacity=opacity)
    if card.glare:
        flat = _glared(flat, (0.06 * breadth + 0.7 * main.shape[1], 0.47 * flat.shape[0]), 0.4 * card.face, card.glare)
    photo = _laid(flat, card, rng)
    return np.asarray(cv2.rotate(photo, QUARTERS[card.turn]) if card.turn else photo, np.uint8)


def _flat(breadth: int, rng: np.random.Generator) -> Pixels:
    """The card without a portrait: a pattern of lines, and strokes where text would be."""
    height = round(ASPECT * breadth)
    paper = np.full((height, breadth, 3), PAPER, np.uint8)
    lined = guilloche(paper, 0.22 * breadth, rng)
    flat = np.asarray(cv2.addWeighted(paper, 0.5, lined, 0.5, 0), np.uint8)
    thick = max(1, breadth // 260)
    for line in range(LINES_OF_TEXT):
        y, x = int((0.14 + 0.11 * line) * height), 0.44 * breadth
        while x < rng.uniform(0.7, 0.92) * breadth:
            step = rng.uniform(0.008, 0.022) * breadth
            up = rng.uniform(0.01, 0.03) * height
            cv2.line(flat, (int(x), int(y + up)), (int(x + 0.6 * step), int(y - up)), INK, thick, cv2.LINE_AA)
            x += step
    return flat


def _resized(pixels: Pixels, scale: float) -> Pixels:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method), np.uint8)


def _put(flat: Pixels, pixels: Pixels, *, x: float, y: float, opacity: float) -> None:
    """Print a picture on the card, as much of it as fits."""
    left, top = max(0, round(x)), max(0, round(y))
    place = flat[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    cut = pixels[: place.shape[0], : place.shape[1]]
    place[:] = cv2.addWeighted(np.ascontiguousarray(cut), opacity, np.ascontiguousarray(place), 1 - opacity, 0)


def _glared(flat: Pixels, middle: tuple[float, float], radius: float, peak: float) -> Pixels:
    """A lamp's reflection: white that falls off as a Gaussian."""
    down, across = np.indices(flat.shape[:2]).astype(np.float32)
    square = (across - middle[0]) ** 2 + (down - middle[1]) ** 2
    white = np.clip(1.5 * peak * np.exp(-square / (radius**2)), 0, peak)[..., None]
    return np.asarray(flat * (1 - white) + 255 * white, np.uint8)


def _laid(flat: Pixels, card: Card, rng: np.random.Generator) -> Pixels:
    """The card on a table, askew and seen from the side, with a camera's noise."""
    height, width = PHOTO
    high, wide = flat.shape[:2]
    far = card.tilt * wide / 2
    corners = np.array([[far, 0], [wide - far, 0], [wide, high], [0, high]], np.float64) - [wide / 2, high / 2]
    angle = np.radians(card.askew)
    turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    placed = (turned + np.array([width / 2, height / 2])).astype(np.float32)
    source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    table = np.clip(np.array(TABLE) + rng.normal(0, 6, (height, width, 1)), 0, 255).astype(np.uint8)
    matrix = cv2.getPerspectiveTransform(source, placed)
    cv2.warpPerspective(
        flat, matrix, (width, height), dst=table, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT
    )
    noise = rng.normal(0, 2, table.shape)
    return np.asarray(np.clip(table + noise, 0, 255), np.uint8)
