"""Makes the samples that the network is trained on, in several processes: views of rendered scenes.

What a view is worth is the teacher's word on that very view (`teacher.Teacher.answers`): the student is to see as the
teacher sees, and not to tell one renderer from another.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pad_training.scenes import ATTACKS, Portrait, live_scene
from models.engine import Engine
from models.errors import ModelsError
from models.image import decode_image
from models.pad_crops import pad_views
from models.prepare import default_data_dir

LIVE_SHARE = 0.5
"""Of all scenes."""

CHUNK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """`views`: uint8 (N, 2, 80, 80, 3) BGR. `attack`: bool (N,), whether an attack was rendered."""

    views: NDArray[np.uint8]
    attack: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Order:
    photos: tuple[Path, ...]
    seed: int
    scenes: int


def make_samples(photos: Sequence[Path], *, scenes: int, seed: int, advance: Callable[[int], object]) -> Samples:
    """Render scenes of these photos; a seed makes the samples.

    `advance` is called with the number of scenes that are done.
    """
    starts = range(0, scenes, CHUNK)
    orders = [_Order(tuple(photos), seed + start, min(CHUNK, scenes - start)) for start in starts]
    parts: list[Samples] = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for order, part in zip(orders, pool.map(_make, orders), strict=True):
            parts.append(part)
            advance(order.scenes)
    return Samples(
        views=np.concatenate([part.views for part in parts]),
        attack=np.concatenate([part.attack for part in parts]),
    )


def photo_views(photos: Sequence[Path]) -> NDArray[np.uint8]:
    """The views of photos as they are, uint8 (N, 2, 80, 80, 3); photos that do not show one face are left out."""
    shown = (_shown(photo) for photo in photos)
    return np.stack([pad_views(*each) for each in shown if each is not None])


def _make(order: _Order) -> Samples:
    rng = np.random.default_rng(order.seed)
    portraits = _portraits(order, rng)
    attack = rng.random(len(portraits)) >= LIVE_SHARE
    views = [_views(portrait, portraits[-1 - place], attack[place], rng) for place, portrait in enumerate(portraits)]
    return Samples(views=np.stack(views), attack=attack)


def _views(portrait: Portrait, other: Portrait, attack: bool, rng: np.random.Generator) -> NDArray[np.uint8]:
    stage = list(ATTACKS.values())[int(rng.integers(len(ATTACKS)))] if attack else live_scene
    scene = stage(portrait, other.picture, rng)
    return pad_views(scene.picture, scene.box)


def _portraits(order: _Order, rng: np.random.Generator) -> list[Portrait]:
    """As many portraits as scenes are wanted, drawn from the photos that show one face."""
    drawn: list[Portrait] = []
    while len(drawn) < order.scenes:
        portrait = _portrait(order.photos[int(rng.integers(len(order.photos)))])
        drawn += [portrait] if portrait is not None else []
    return drawn


@cache
def _portrait(photo: Path) -> Portrait | None:
    """A photo with its one face, or None."""
    shown = _shown(photo)
    return Portrait.of(*shown) if shown is not None else None


def _shown(photo: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    """A photo, uint8 (H, W, 3) BGR, and the box of its one face, or None."""
    try:
        frame = decode_image(photo.read_bytes())
    except ModelsError:
        return None
    faces = _engine().detect(frame)
    return (frame.pixels, faces[0].box) if len(faces) == 1 else None


@cache
def _engine() -> Engine:
    cv2.setNumThreads(1)
    return Engine.open(data_dir=default_data_dir())
