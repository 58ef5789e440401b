"""Scenes for training: a face as a camera sees it, and as it sees a print, a screen or a cut-out of it.

Every function takes and gives uint8 (H, W, 3) BGR and draws its parameters from a generator, so that a seed makes a
scene. The physics is crude on purpose and varied widely: what is to be learned is what all prints and screens share.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pad_training.held import Cover, clothed, gripped, person_cover, wall

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

HEIGHT, WIDTH = 640, 480

NO_EDGES = 0.35
"""Share of prints and screens that fill the view, so that edges are not all that is learned."""

OWN_ROOM = 0.5
"""Share of scenes that keep the photo's own background; the others have a wall or a room."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo, the box of its face (x, y, w, h in pixels), and what of it is the person (0 to 1, (H, W))."""

    picture: Picture
    box: NDArray[np.float32]
    cover: Cover

    @classmethod
    def of(cls, picture: Picture, box: NDArray[np.float32]) -> "Portrait":
        """The person is cut out."""
        return cls(picture, box, person_cover(picture, box))

    def before(self, behind: Picture) -> "Portrait":
        """The same person before something else, uint8 of the photo's own shape."""
        share = self.cover[..., None]
        return Portrait(
            _bytes(np.asarray(share * self.picture + (1 - share) * behind, np.float32)), self.box, self.cover
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """What the camera delivers, and the face's box in it."""

    picture: Picture
    box: NDArray[np.float32]


def live_scene(portrait: Portrait, room: Picture, rng: np.random.Generator) -> Scene:
    """The person before the camera, as large as a face is held: before the photo's own background, a wall or a room."""
    if rng.random() < OWN_ROOM:
        return _shot(*_filling(portrait, rng), rng)
    height, width = portrait.picture.shape[:2]
    behind = wall(height, width, rng) if rng.random() < 0.6 else cv2.resize(_room(room, rng), (width, height))
    scale = rng.uniform(110, 240) / float(portrait.box[2])
    return _shot(*_placed(portrait.before(np.asarray(behind, np.uint8)), scale, rng, beyond=cv2.BORDER_REPLICATE), rng)


def print_scene(portrait: Portrait, room: Picture, rng: np.random.Generator) -> Scene:
    """A printed photo: fewer colours, halftone or ink grain, paper, sometimes its edges and a hand's curl."""
    small = rng.random() >= OWN_ROOM
    if small:
        portrait = _id_photo(portrait, rng)
    printed = _paper_tones(portrait.picture.astype(np.float32), rng)
    printed = _halftone(printed, rng) if rng.random() < 0.5 else _ink_grain(printed, rng)
    if not small and rng.random() < NO_EDGES:
        return _shot(*_filling(replace(portrait, picture=_bytes(printed)), rng), rng)
    return _held_before(_bytes(printed), portrait.box, room, rng, border=_paper_border, hand=small)


def screen_scene(portrait: Portrait, room: Picture, rng: np.random.Generator) -> Scene:
    """A screen that shows the photo: its light, its grid against the sensor's (moiré), bezel and glare."""
    shown = _screen_tones(portrait.picture.astype(np.float32), rng)
    if rng.random() < NO_EDGES:
        picture, box = _filling(replace(portrait, picture=_bytes(shown)), rng)
        return _shot(_bytes(_glare(_moire(picture.astype(np.float32), rng), rng)), box, rng)
    scene = _held_before(_bytes(shown), portrait.box, room, rng, border=_bezel)
    return Scene(_bytes(_glare(_moire(scene.picture.astype(np.float32), rng), rng)), scene.box)


def cut_out_scene(portrait: Portrait, room: Picture, rng: np.random.Generator) -> Scene:
    """A printed face cut out along its outline and held before whatever is behind."""
    printed = _bytes(_ink_grain(_paper_tones(portrait.picture.astype(np.float32), rng), rng))
    x, y, w, h = portrait.box
    mask = np.zeros(printed.shape[:2], np.uint8)
    axes = (int(w * rng.uniform(0.5, 0.62)), int(h * rng.uniform(0.55, 0.68)))
    cv2.ellipse(mask, (int(x + w / 2), int(y + h / 2)), axes, 0, 0, 360, 255, -1)
    scale = rng.uniform(110, 240) / float(w)
    face, box = _placed(replace(portrait, picture=printed), scale, rng)
    cover, _ = _placed(replace(portrait, picture=np.repeat(mask[..., None], 3, axis=2)), scale, rng, like=box)
    shadow = cv2.GaussianBlur(np.roll(cover, (6, 5), axis=(0, 1)), (0, 0), 5).astype(np.float32) / 255
    behind = np.asarray(_room(room, rng) * (1 - 0.5 * shadow), np.float32)
    share = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.5, 1.2)).astype(np.float32) / 255
    return _shot(_bytes(np.asarray(face * share + behind * (1 - share), np.float32)), box, rng)


ATTACKS: dict[str, Callable[[Portrait, Picture, np.random.Generator], Scene]] = {
    "print": print_scene,
    "screen": screen_scene,
    "cut_out": cut_out_scene,
}


def _filling(portrait: Portrait, rng: np.random.Generator) -> tuple[Picture, NDArray[np.float32]]:
    """The photo, trimmed a little and as large as a face is held; nothing around it is seen."""
    height, width = portrait.picture.shape[:2]
    left, top, right, bottom = (
        int(share * side) for share, side in zip(rng.uniform(0, 0.1, 4), (width, height) * 2, strict=True)
    )
    trimmed = portrait.picture[top : height - bottom, left : width - right]
    scale = rng.uniform(110, 240) / float(portrait.box[2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(trimmed, None, fx=scale, fy=scale, interpolation=method)
    shifted = portrait.box - np.array([left, top, 0, 0], np.float32)
    return np.asarray(picture, np.uint8), np.asarray(shifted * np.float32(scale), np.float32)


def _placed(
    portrait: Portrait,
    scale: float,
    rng: np.random.Generator,
    *,
    like: NDArray[np.float32] | None = None,
    beyond: int = cv2.BORDER_REFLECT_101,
) -> tuple[Picture, NDArray[np.float32]]:
    """The photo scaled onto a frame with its face near the middle; what lies outside the photo is `beyond`'s."""
    x, y, w, h = portrait.box * scale
    if like is None:
        left, top = WIDTH / 2 - w / 2 + rng.uniform(-40, 40), HEIGHT / 2 - h / 2 + rng.uniform(-60, 40)
    else:
        left, top = float(like[0]), float(like[1])
    matrix = np.array([[scale, 0, left - x], [0, scale, top - y]], np.float32)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.warpAffine(portrait.picture, matrix, (WIDTH, HEIGHT), flags=method, borderMode=beyond)
    return np.asarray(picture, np.uint8), np.array([left, top, w, h], np.float32)


def _held_before(
    shown: Picture,
    box: NDArray[np.float32],
    room: Picture,
    rng: np.random.Generator,
    *,
    border: Callable[[Picture, np.random.Generator], tuple[Picture, int]],
    hand: bool = False,
) -> Scene:
    """The picture with its border, under perspective, before a room; so close that no edge shows in some scenes."""
    framed, width = border(shown, rng)
    scale = rng.uniform(110, 240) / float(box[2])
    corners = np.array([[0, 0], [framed.shape[1], 0], [framed.shape[1], framed.shape[0]], [0, framed.shape[0]]])
    centre = box[:2] + box[2:] / 2 + width
    target = (corners - centre) * scale * (1 + rng.uniform(-0.08, 0.08, (4, 2)))
    target += [WIDTH / 2 + rng.uniform(-40, 40), HEIGHT / 2 + rng.uniform(-60, 40)]
    onto = cv2.getPerspectiveTransform(corners.astype(np.float32), target.astype(np.float32))
    behind = _room(room, rng) if not hand else clothed(_behind_a_hand(room, rng), rng)
    drawn = cv2.warpPerspective(
        framed, onto, (WIDTH, HEIGHT), dst=behind, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT
    )
    if hand and rng.random() < 0.8:
        held = (3, 2) if rng.random() < 0.7 else (2, 1)
        drawn = gripped(np.asarray(drawn, np.uint8), target[list(held)], rng)
    ends = np.array([[box[0], box[1]], [box[0] + box[2], box[1] + box[3]]], np.float32) + width
    (left, top), (right, bottom) = cv2.perspectiveTransform(ends[None], onto)[0]
    return _shot(np.asarray(drawn, np.uint8), np.array([left, top, right - left, bottom - top], np.float32), rng)


def _behind_a_hand(room: Picture, rng: np.random.Generator) -> Picture:
    return wall(HEIGHT, WIDTH, rng) if rng.random() < 0.5 else _room(room, rng)


def _id_photo(portrait: Portrait, rng: np.random.Generator) -> Portrait:
    """Trimmed as an ID photo is, mostly before a plain backdrop."""
    height, width = portrait.picture.shape[:2]
    shown = portrait.before(wall(height, width, rng)) if rng.random() < 0.8 else portrait
    x, y, w, h = (float(value) for value in portrait.box)
    left, right = max(0, int(x - w * rng.uniform(0.25, 0.6))), min(width, int(x + w * rng.uniform(1.25, 1.6)))
    top, bottom = max(0, int(y - h * rng.uniform(0.3, 0.6))), min(height, int(y + h * rng.uniform(1.2, 1.7)))
    moved = portrait.box - np.array([left, top, 0, 0], np.float32)
    return Portrait(shown.picture[top:bottom, left:right], moved, portrait.cover[top:bottom, left:right])


def _room(room: Picture, rng: np.random.Generator) -> Picture:
    """Another photo, blurred and recoloured, as background."""
    resized = cv2.resize(room, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    blurred = cv2.GaussianBlur(resized, (0, 0), float(rng.uniform(1, 12)))
    return _bytes(blurred.astype(np.float32) * rng.uniform(0.5, 1.2, 3).astype(np.float32))


def _paper_tones(picture: Floats, rng: np.random.Generator) -> Floats:
    """Ink on paper: a narrower range of tones, a cast, less saturation."""
    grey = picture.mean(axis=2, keepdims=True)
    saturation = rng.uniform(0.4, 1.1)
    toned = grey + (picture - grey) * saturation
    black, white = rng.uniform(15, 70), rng.uniform(180, 245)
    cast = rng.uniform(0.9, 1.08, 3)
    return np.asarray((black + toned / 255 * (white - black)) * cast, np.float32)


def _halftone(picture: Floats, rng: np.random.Generator) -> Floats:
    """Dots in three inks, each screen at its own angle, at two to four pixels a dot of the printed picture."""
    fine = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    down, across = np.mgrid[0 : fine.shape[0], 0 : fine.shape[1]].astype(np.float32)
    period = rng.uniform(3.0, 9.0)
    inked = np.empty_like(fine)
    for channel, degrees in enumerate(rng.uniform(0, 90, 3)):
        angle = np.radians(degrees)
        u = (across * np.cos(angle) + down * np.sin(angle)) * (2 * np.pi / period)
        v = (down * np.cos(angle) - across * np.sin(angle)) * (2 * np.pi / period)
        screen = 127.5 + 63 * (np.cos(u) + np.cos(v))
        inked[..., channel] = np.where(fine[..., channel] > screen, 235, 40)
    mixed = cv2.resize(inked, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    share = rng.uniform(0.3, 0.9)
    return np.asarray(share * mixed + (1 - share) * picture, np.float32)


def _ink_grain(picture: Floats, rng: np.random.Generator) -> Floats:
    """The grain of ink and paper fibre, coarser than a sensor's noise."""
    shape = picture.shape[:2]
    grain = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), float(rng.uniform(0.4, 1.2)))
    fibre = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), float(rng.uniform(1.5, 4)))
    strength = rng.uniform(2, 9)
    soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.2, 1.1)))
    return np.asarray(soft + strength * (grain / grain.std() + 0.5 * fibre / fibre.std())[..., None], np.float32)


def _screen_tones(picture: Floats, rng: np.random.Generator) -> Floats:
    """A backlit picture: another gamma, a bluish or warm white, raised black."""
    gamma = rng.uniform(0.6, 1.4)
    shown = 255 * (np.clip(picture, 0, 255) / 255) ** gamma
    white = np.array([rng.uniform(0.95, 1.2), rng.uniform(0.9, 1.08), rng.uniform(0.8, 1.1)], np.float32)
    return np.asarray(rng.uniform(5, 45) + shown * white * rng.uniform(0.75, 1.1), np.float32)


def _moire(picture: Floats, rng: np.random.Generator) -> Floats:
    """Beats between the screen's grid and the sensor's: slow coloured waves, sometimes with the fine grid itself."""
    height, width = picture.shape[:2]
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.zeros_like(picture)
    for _ in range(int(rng.integers(1, 4))):
        angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(2.5), np.log(40)))
        phase = (across * np.cos(angle) + down * np.sin(angle)) * (2 * np.pi / period)
        bent = phase + rng.uniform(0, 2) * np.sin(down / rng.uniform(40, 160))
        shifts = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 1.5) * np.arange(3)
        waves += np.cos(bent[..., None] + shifts.astype(np.float32)) * rng.uniform(1.5, 10)
    return np.asarray(picture + waves * (0.3 + picture / 255), np.float32)


def _glare(picture: Floats, rng: np.random.Generator) -> Floats:
    """A soft light reflected by the glass, in half of the scenes."""
    if rng.random() < 0.5:
        return picture
    height, width = picture.shape[:2]
    spot = np.zeros((height // 8, width // 8), np.float32)
    centre = (int(rng.uniform(0, width // 8)), int(rng.uniform(0, height // 8)))
    axes = (int(rng.uniform(3, 20)), int(rng.uniform(2, 10)))
    cv2.ellipse(spot, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    soft = cv2.resize(cv2.GaussianBlur(spot, (0, 0), 3), (width, height))
    return np.asarray(picture + soft[..., None] * rng.uniform(30, 140), np.float32)


def _paper_border(shown: Picture, rng: np.random.Generator) -> tuple[Picture, int]:
    """White paper around the print, in most scenes."""
    width = int(rng.uniform(0, 30)) if rng.random() < 0.7 else 0
    white = tuple(int(value) for value in rng.uniform(190, 250, 3))
    return _bordered(shown, width, white), width


def _bezel(shown: Picture, rng: np.random.Generator) -> tuple[Picture, int]:
    """The dark rim of a phone or a tablet, in most scenes."""
    width = int(rng.uniform(5, 30)) if rng.random() < 0.7 else 0
    dark = tuple(int(value) for value in rng.uniform(5, 60, 3))
    return _bordered(shown, width, dark), width


def _bordered(shown: Picture, width: int, colour: tuple[int, ...]) -> Picture:
    return np.asarray(
        cv2.copyMakeBorder(shown, width, width, width, width, cv2.BORDER_CONSTANT, value=colour), np.uint8
    )


def _shot(picture: Picture, box: NDArray[np.float32], rng: np.random.Generator) -> Scene:
    """What the camera makes of it: light, focus, movement, white balance, noise, sharpening and JPEG."""
    light = rng.uniform(0.55, 1.25) * rng.uniform(0.9, 1.1, 3)
    seen: Floats = np.asarray(picture * light, np.float32)
    if rng.random() < 0.7:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.3, 1.6))), np.float32)
    if rng.random() < 0.2:
        length = int(rng.integers(2, 6))
        seen = np.asarray(cv2.filter2D(seen, -1, np.eye(length, dtype=np.float32) / length), np.float32)
    noise = rng.standard_normal(seen.shape, np.float32) * np.float32(rng.uniform(0.5, 7))
    seen = np.asarray(255 * np.clip((seen + noise) / 255, 0, 1) ** rng.uniform(0.8, 1.25), np.float32)
    if rng.random() < 0.4:
        blurred = np.asarray(cv2.GaussianBlur(seen, (0, 0), 1.2), np.float32)
        seen = np.asarray(seen + rng.uniform(0.2, 0.8) * (seen - blurred), np.float32)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 97))]
    _, jpeg = cv2.imencode(".jpg", _bytes(seen), quality)
    return Scene(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8), box)


def _bytes(picture: Floats) -> Picture:
    return np.clip(picture, 0, 255).astype(np.uint8)
