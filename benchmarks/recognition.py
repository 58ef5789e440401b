"""Embeds the images of a protocol, once each, and compares its pairs."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.error_rates import Comparisons
from benchmarks.pairs_file import Pair, people_of
from models.alignment import align
from models.detection import Face
from models.embedding import Embedding, cosine, mean_embedding
from models.engine import Engine
from models.errors import ImageError
from models.image import Frame, decode_image
from models.portrait import BYSTANDER

THREADS = os.cpu_count() or 1
"""Images at once: ONNX Runtime releases the GIL, and each of its runs uses one thread."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One image in both parts that it can play in a comparison."""

    probe: Embedding
    reference: Embedding


Embeddings = dict[str, Embedded | None]
"""By image; None is a failure to acquire."""


def embed_images(folder: Path, images: Iterable[str], *, engine: Engine, advance: Callable[[], object]) -> Embeddings:
    """Embed each image once; `advance` is called after each.

    Raises:
        OSError: an image is not there. ImageError: a file is no picture; the message names it.
    """
    names = tuple(images)
    with ThreadPoolExecutor(THREADS) as pool:
        embeddings: Embeddings = {}
        for name, embedding in zip(names, pool.map(partial(_embed, folder, engine=engine), names), strict=True):
            embeddings[name] = embedding
            advance()
    return embeddings


def compare_pairs(pairs: tuple[Pair, ...], embeddings: Embeddings) -> Comparisons:
    """The comparisons of a protocol."""
    people = people_of(pairs)
    return Comparisons(
        scores=np.array([_score(embeddings[pair.image_a], embeddings[pair.image_b]) for pair in pairs]),
        same=np.array([pair.same for pair in pairs]),
        fold=np.array([pair.fold for pair in pairs]),
        people=np.array([(people[pair.image_a], people[pair.image_b]) for pair in pairs]),
    )


def central_face(frame: Frame, *, engine: Engine) -> Face | None:
    """The face nearest to the middle of the image, where such protocols put the person who is meant.

    Of those that are not people far behind (`models.portrait.BYSTANDER`): somebody in the background may sit in the
    middle between two shoulders.
    """
    height, width = frame.pixels.shape[:2]
    middle = np.array([width / 2, height / 2])
    found = engine.detect(frame)
    near = [face for face in found if face.box[3] >= BYSTANDER * found[0].box[3]]
    return min(near, key=lambda face: float(np.linalg.norm(face.box[:2] + face.box[2:] / 2 - middle)), default=None)


def _embed(folder: Path, name: str, *, engine: Engine) -> Embedded | None:
    try:
        frame = decode_image((folder / name).read_bytes())
    except ImageError as error:
        raise ImageError(error.code, f"{name}: {error}") from None
    face = central_face(frame, engine=engine)
    if face is None:
        return None
    aligned = align(frame, face)
    both = engine.embedder.embed([aligned, aligned.mirrored()])
    return Embedded(probe=both[0], reference=mean_embedding(both))


def _score(one: Embedded | None, other: Embedded | None) -> float:
    """The first image is the reference, as in service, and the second the probe."""
    return cosine(one.reference, other.probe) if one is not None and other is not None else -np.inf
