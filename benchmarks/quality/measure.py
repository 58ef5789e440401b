"""Genuine pairs of a protocol with the quality of both photos: as they are, and with probes that were degraded.

Treated as in service: the first photo is a reference, the second a probe. The threshold is that of FMR 0.1 % over all
photos of different people, as they are; degraded probes meet the same one. References are never degraded here.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.degradations.render import DEGRADATIONS, Degrade
from benchmarks.pairs_file import Pair, people_of
from benchmarks.photos import PhotosError
from benchmarks.quality.discard import Floats, Trials
from benchmarks.recognition import THREADS, central_face
from models.alignment import align
from models.detection import Face
from models.engine import Engine
from models.face_quality.assessment import MEASURES, unified_minimum
from models.image import Frame, decode_image

TARGET_FMR = 0.001
UNIFIED = "unified minimum"
NAMES = (*MEASURES, UNIFIED)

AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class Photo:
    """`vector`: float32 (D,), length 1. `scores`: float64 (len(NAMES),), NaN where not assessed."""

    vector: NDArray[np.float32]
    scores: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All photos of the genuine pairs; None where no face was found."""

    references: tuple[Photo | None, ...]
    probes: Mapping[str, tuple[Photo | None, ...]]
    """By degradation, in the order of `references`."""
    people: NDArray[np.int64]
    """Whose face each pair is of."""


def gather(folder: Path, pairs: Sequence[Pair], *, engine: Engine, advance: Callable[[], object]) -> Gathered:
    """Look at every photo once, and once more for each degradation; `advance` after each.

    Raises:
        OSError: an image is not there. ImageError: a file is no picture.
    """
    genuine = [pair for pair in pairs if pair.same]
    numbers = people_of(tuple(pairs))
    refer = partial(_reference, folder, engine=engine)
    with ThreadPoolExecutor(THREADS) as pool:
        references = _all(pool, refer, [pair.image_a for pair in genuine], advance)
        probes = {
            title: _all(
                pool, partial(_probe, folder, degrade, engine=engine), [pair.image_b for pair in genuine], advance
            )
            for title, degrade in DEGRADATIONS.items()
        }
    people = np.array([numbers[pair.image_a] for pair in genuine])
    return Gathered(references=references, probes=probes, people=people)


def threshold_of(gathered: Gathered) -> tuple[float, int]:
    """The lowest cosine that keeps FMR at or below 0.1 % over all photos as they are, and of how many impostors.

    Raises:
        PhotosError: fewer impostors than one error would need.
    """
    reference, probe = gathered.references, gathered.probes[AS_IT_IS]
    one, other = _found(reference), _found(probe)
    if not len(one) or not len(other):
        raise PhotosError("no face was found in any of the images")
    cosines = _vectors(reference, one) @ _vectors(probe, other).T
    impostors = cosines[gathered.people[one][:, None] != gathered.people[other][None, :]]
    allowed = int(TARGET_FMR * len(impostors))
    if allowed < 1:
        message = f"{len(impostors)} comparisons of different people cannot tell an FMR of 0.1 %: list more pairs"
        raise PhotosError(message)
    blocking = np.partition(impostors, len(impostors) - 1 - allowed)[len(impostors) - 1 - allowed]
    return float(np.nextafter(blocking, np.float32(np.inf))), len(impostors)


def trials_of(
    gathered: Gathered, titles: Sequence[str], threshold: float, *, among_their_like: bool = False
) -> tuple[Trials, int]:
    """The genuine comparisons with some of the probes, and how many are left out because a photo shows no face.

    `among_their_like`: quality is the place among the comparisons of the same degradation, so that no degradation is
    discarded before another.
    """
    missed, people, scores, kinds, lost = list[bool](), list[int](), list[Floats](), list[int](), 0
    for kind, title in enumerate(titles):
        for reference, probe, person in zip(gathered.references, gathered.probes[title], gathered.people, strict=True):
            if reference is None or probe is None:
                lost += 1
                continue
            missed.append(bool(reference.vector @ probe.vector < threshold))
            people.append(int(person))
            scores.append(np.fmin(reference.scores, probe.scores))
            kinds.append(kind)
    table = np.nan_to_num(np.array(scores), nan=np.inf)
    if among_their_like:
        table = places_within(table, np.array(kinds))
    quality = {name: table[:, place] for place, name in enumerate(NAMES)}
    return Trials(missed=np.array(missed), people=np.array(people), quality=quality), lost


def places_within(scores: Floats, kinds: NDArray[np.int64]) -> Floats:
    """Scores (N, M) as places from 0 to 1 among rows of one kind (N,), equal ones at their middle; infinite stay so."""
    places = np.empty_like(scores)
    for kind in np.unique(kinds):
        own = scores[kinds == kind]
        places[kinds == kind] = rankdata(own, axis=0) / len(own)
    return np.where(np.isinf(scores), np.inf, places)


def _reference(folder: Path, name: str, *, engine: Engine) -> Photo | None:
    frame = decode_image((folder / name).read_bytes())
    face = central_face(frame, engine=engine)
    if face is None:
        return None
    return Photo(engine.embedder.reference(align(frame, face)).vector, _scores(engine, frame, face))


def _probe(folder: Path, degrade: Degrade | None, name: str, *, engine: Engine) -> Photo | None:
    frame = decode_image((folder / name).read_bytes())
    if degrade is not None and (face := central_face(frame, engine=engine)) is not None:
        seed = int.from_bytes(sha256(name.encode()).digest()[:8], "big")
        frame = Frame(degrade(frame.pixels, float(face.box[3]), np.random.default_rng(seed)))
    face = central_face(frame, engine=engine)
    return None if face is None else Photo(engine.embed(frame, face).vector, _scores(engine, frame, face))


def _scores(engine: Engine, frame: Frame, face: Face) -> Floats:
    components = engine.components(frame, face)
    scores = [each.score for each in components] + [unified_minimum(components)]
    return np.array([np.nan if score is None else score for score in scores])


def _all(
    pool: ThreadPoolExecutor, work: Callable[[str], Photo | None], names: Sequence[str], advance: Callable[[], object]
) -> tuple[Photo | None, ...]:
    found = list[Photo | None]()
    for each in pool.map(work, names):
        found.append(each)
        advance()
    return tuple(found)


def _found(photos: Sequence[Photo | None]) -> NDArray[np.int64]:
    return np.flatnonzero([photo is not None for photo in photos])


def _vectors(photos: Sequence[Photo | None], places: NDArray[np.int64]) -> NDArray[np.float32]:
    chosen = [photos[place] for place in places]
    return np.stack([photo.vector for photo in chosen if photo is not None])
