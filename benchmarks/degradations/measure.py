"""FNMR of degraded references against good probes, before and after the care that is taken of references.

*Before* is one embedding of the photo; *after* is `Embedder.reference`, as the service makes it.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.degradations.render import DEGRADATIONS, Degrade
from benchmarks.pairs_file import Pair, people_of
from benchmarks.photos import PhotosError
from benchmarks.recognition import THREADS, central_face
from models.alignment import align
from models.engine import Engine
from models.image import Frame, decode_image

Vectors = NDArray[np.float32]
"""(N, D), L2-normalised; rows of NaN where no face was found."""

TARGET_FMR = 0.001
RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """At FMR 0.1 %, each with a threshold of its own."""

    fnmr_before: float
    fnmr_after: float
    change_low: float
    """Of the difference after − before: 95 % by bootstrap over people."""
    change_high: float
    not_acquired: int
    """References in which no face was found; they count as non-matches."""
    genuine: int
    impostors: int


def measure(folder: Path, pairs: Sequence[Pair], *, engine: Engine, advance: Callable[[], object]) -> dict[str, Rates]:
    """Each degradation of the first image of every genuine pair against all second images; `advance` an image.

    Raises:
        OSError: an image is not there. ImageError: a file is no picture. PhotosError: no image shows a face.
    """
    genuine = [pair for pair in pairs if pair.same]
    numbers = people_of(tuple(pairs))
    people = np.array([numbers[pair.image_a] for pair in genuine])
    probes = _all([pair.image_b for pair in genuine], lambda name: _plain(folder, name, engine), advance)
    found: dict[str, Rates] = {}
    for title, degrade in DEGRADATIONS.items():
        work = _referring(folder, engine, degrade)
        both = _all([pair.image_a for pair in genuine], work, advance)
        found[title] = rates(both[:, 0], both[:, 1], probes, people)
    return found


def rates(before: Vectors, after: Vectors, probes: Vectors, people: NDArray[np.int64]) -> Rates:
    """Row i of all is person `people[i]`; all rows of other people are impostors."""
    other = people[:, None] != people[None, :]
    missed = [_missed(_cosines(each, probes), other) for each in (before, after)]
    low, high = _change(missed[0], missed[1], people)
    return Rates(
        fnmr_before=float(missed[0].mean()),
        fnmr_after=float(missed[1].mean()),
        change_low=low,
        change_high=high,
        not_acquired=int(np.isnan(after[:, 0]).sum()),
        genuine=len(people),
        impostors=int(other.sum()),
    )


def _missed(scores: NDArray[np.float64], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Genuine comparisons (N,) below the lowest threshold that keeps the FMR at its target."""
    impostors = np.sort(scores[other])[::-1]
    allowed = int(TARGET_FMR * len(impostors))
    threshold = np.nextafter(impostors[allowed], np.inf)
    return np.asarray(np.diagonal(scores) < threshold)


def _cosines(references: Vectors, probes: Vectors) -> NDArray[np.float64]:
    """(N, N); −∞ where no face was found."""
    return np.nan_to_num(references.astype(np.float64) @ probes.astype(np.float64).T, nan=-np.inf)


def _change(before: NDArray[np.bool_], after: NDArray[np.bool_], people: NDArray[np.int64]) -> tuple[float, float]:
    """Percentile interval of the difference of the shares; people are drawn, not pairs."""
    difference = after.astype(float) - before.astype(float)
    rng = np.random.default_rng(0)
    named, place = np.unique(people, return_inverse=True)
    draws = rng.multinomial(len(named), np.full(len(named), 1 / len(named)), size=RESAMPLES)
    weights = draws[:, place]
    shares = (weights * difference).sum(axis=1) / weights.sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


def _all(names: Sequence[str], work: Callable[[str], Vectors | None], advance: Callable[[], object]) -> Vectors:
    """What each gave, stacked; NaN for those that gave nothing."""
    with ThreadPoolExecutor(THREADS) as pool:
        found = list[Vectors | None]()
        for each in pool.map(work, names):
            found.append(each)
            advance()
    known = next((each for each in found if each is not None), None)
    if known is None:
        raise PhotosError("no face was found in any of the images")
    nothing = np.full_like(known, np.nan)
    return np.stack([nothing if each is None else each for each in found])


def _plain(folder: Path, name: str, engine: Engine) -> Vectors | None:
    frame = decode_image((folder / name).read_bytes())
    face = central_face(frame, engine=engine)
    return None if face is None else engine.embed(frame, face).vector


def _referring(folder: Path, engine: Engine, degrade: Degrade | None) -> Callable[[str], Vectors | None]:
    def refer(name: str) -> Vectors | None:
        """(2, D): before and after."""
        frame = decode_image((folder / name).read_bytes())
        if degrade is not None and (face := central_face(frame, engine=engine)) is not None:
            seed = int.from_bytes(sha256(name.encode()).digest()[:8], "big")
            frame = Frame(degrade(frame.pixels, float(face.box[3]), np.random.default_rng(seed)))
        face = central_face(frame, engine=engine)
        if face is None:
            return None
        aligned = align(frame, face)
        return np.stack([engine.embedder.embed([aligned])[0].vector, engine.embedder.reference(aligned).vector])

    return refer


def better_and_worse(found: Mapping[str, Rates]) -> tuple[int, int]:
    """How many degradations got better and how many worse, by their point estimates; the photo as it is left out."""
    changes = [each.fnmr_after - each.fnmr_before for title, each in found.items() if DEGRADATIONS[title] is not None]
    return sum(change < 0 for change in changes), sum(change > 0 for change in changes)
