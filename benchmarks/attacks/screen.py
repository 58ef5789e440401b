"""A screen in front of the camera that shows a picture or a clip: its light, its pixels, its rim."""

from collections.abc import Callable
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.holder import Hands
from benchmarks.attacks.sheet import Sheet, SheetPose

Picture = NDArray[np.uint8]
Player = Callable[[float], Picture]
"""What the screen shows at a time: uint8 (H, W, 3) BGR, always of one size."""

RIM_SHARE = 0.04
BLACK, WHITE_GAIN = 14.0, 0.96
"""Grey levels that a lit black has, and the white against a print's."""
GRID_DEPTH = 0.10
"""How deep the gaps between pixels are, as a share of the light, after the lens has blurred them."""


class ScreenHolder:
    """Holds a screen; `hold_still` lets the clip do the moving."""

    def __init__(
        self, player: Player, *, height_cm: float, pixels_high: int, room: Picture, hands: Hands, hold_still: bool
    ) -> None:
        self._player, self._height_cm, self._pixels_high = player, height_cm, pixels_high
        self._room, self._hands, self._hold_still = room, hands, hold_still

    def told(self, kind: str, cue: str | None, at: float) -> None:
        if not self._hold_still:
            self._hands.told(kind, cue, at)

    def glow(self, at: float) -> None:
        """Glass returns a few per cent of the light, as much as the wall behind: nothing that tells them apart."""

    def scene(self, at: float) -> Picture:
        pose = self._hands.pose(at)
        shown = _with_rim(self._player(at))
        sheet = Sheet(shown, self._height_cm, self._room)
        return self._lit(sheet, pose)

    def _lit(self, sheet: Sheet, pose: SheetPose) -> Picture:
        """The sheet's picture under the screen's own light and grid; moire comes of sampling the grid by itself."""
        seen = sheet.render(pose)
        x, y = cv2.split(sheet.on_sheet(pose))
        height, width = sheet.picture.shape[:2]
        on = ((x >= 0) & (x < width) & (y >= 0) & (y < height)).astype(np.uint8)
        across, down = (places * np.float32(2 * np.pi * self._pixels_high / height) for places in (x, y))
        wave = np.cos(across)
        grid = 1 - GRID_DEPTH * (0.5 + 0.25 * wave + 0.25 * np.cos(down))
        waves = (wave, np.cos(across + 2.1), np.cos(across + 4.2))
        lit = cv2.merge([_pixels(seen[..., place], grid, each) for place, each in enumerate(waves)])
        return np.asarray(cv2.copyTo(lit, on, seen), np.uint8)


def still(picture: Picture) -> Player:
    """Always the same picture."""
    return lambda _: picture


def screen_before(
    player: Player, *, size: tuple[int, int], eye_distance: float, rng: Random, room: Picture, hold_still: bool
) -> ScreenHolder:
    """A screen held so that the face on it is as large as a face should be.

    `size`: height and width of what the player shows; `eye_distance`: pixels between the eyes on it.
    """
    distance_cm = rng.uniform(22, 38)
    height_cm = rng.uniform(62, 95) * size[0] / eye_distance * distance_cm / 520.0
    hands = Hands(rng=rng, distance_cm=distance_cm, turn_degrees=rng.uniform(25, 40))
    return ScreenHolder(
        player,
        height_cm=height_cm,
        pixels_high=rng.choice((1136, 1334, 1920, 2400)),
        room=room,
        hands=hands,
        hold_still=hold_still,
    )


def _pixels(plane: Picture, grid: NDArray[np.float32], wave: NDArray[np.float32]) -> Picture:
    """One colour of a picture as a screen's pixels of that colour show it: grid and waves, all (H, W)."""
    lit = plane.astype(np.float32)
    lit *= WHITE_GAIN
    lit *= grid
    lit *= 1 + 0.35 * GRID_DEPTH * wave
    lit += BLACK
    return np.clip(lit, 0, 255, out=lit).astype(np.uint8)


def _with_rim(picture: Picture) -> Picture:
    width = int(RIM_SHARE * picture.shape[0])
    rimmed = cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_CONSTANT, value=(18, 18, 18))
    return np.asarray(rimmed, np.uint8)
