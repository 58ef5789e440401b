"""Comparisons by who is compared with whom: all that a labelled set allows, or those of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.labelled import LabelledImage, people
from benchmarks.error_rates import Comparisons
from benchmarks.recognition import Embeddings
from models.embedding import Embedding

UNACQUIRED = -2.0
"""Score of a comparison with an image without a face: below every cosine, so that it never matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleScores:
    """N comparisons between people. `people`: names; `first`, `second`: int32 (N,), their places in it."""

    people: tuple[str, ...]
    scores: NDArray[np.float32]
    """Cosines, (N,)."""
    first: NDArray[np.int32]
    second: NDArray[np.int32]

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """Which compare a person with themselves, (N,)."""
        return np.asarray(self.first == self.second)


def compare_all(images: Sequence[LabelledImage], embeddings: Embeddings) -> PeopleScores:
    """All pairs of images but those of one person in one session."""
    names = people(images)
    place = {name: number for number, name in enumerate(names)}
    person = np.array([place[image.person] for image in images], np.int32)
    session = np.array([image.session or f"of its own: {number}" for number, image in enumerate(images)])
    one, other = np.triu_indices(len(images), 1)
    kept = (person[one] != person[other]) | (session[one] != session[other])
    one, other = one[kept], other[kept]
    return PeopleScores(
        people=names,
        scores=_cosines(images, embeddings)[one, other],
        first=np.minimum(person[one], person[other]),
        second=np.maximum(person[one], person[other]),
    )


def listed_scores(comparisons: Comparisons) -> PeopleScores:
    """The comparisons of a list of pairs. People have no names there, but numbers."""
    first, second = np.sort(comparisons.people, axis=1).T.astype(np.int32)
    return PeopleScores(
        people=tuple(map(str, range(int(comparisons.people.max()) + 1))),
        scores=np.maximum(comparisons.scores, UNACQUIRED).astype(np.float32),
        first=first,
        second=second,
    )


def with_all_impostors(
    listed: PeopleScores, people_by_image: Mapping[str, int], embeddings: Embeddings
) -> PeopleScores:
    """The genuine comparisons of a list, and all images of different people: of thousands, millions."""
    images = [LabelledImage(file=name, person=f"{person:09d}") for name, person in sorted(people_by_image.items())]
    everything = compare_all(images, embeddings)
    number = np.array([int(name) for name in everything.people], np.int32)
    impostors, genuine = ~everything.genuine, listed.genuine
    return PeopleScores(
        people=listed.people,
        scores=np.concatenate([everything.scores[impostors], listed.scores[genuine]]),
        first=np.concatenate([number[everything.first[impostors]], listed.first[genuine]]),
        second=np.concatenate([number[everything.second[impostors]], listed.second[genuine]]),
    )


def _cosines(images: Sequence[LabelledImage], embeddings: Embeddings) -> NDArray[np.float32]:
    """Of each image as reference with each as probe, (images, images)."""
    found = [embeddings[image.file] for image in images]
    references = _rows([None if each is None else each.reference for each in found])
    probes = _rows([None if each is None else each.probe for each in found])
    cosines = references @ probes.T
    missing = np.array([each is None for each in found])
    cosines[missing] = UNACQUIRED
    cosines[:, missing] = UNACQUIRED
    return np.asarray(cosines, np.float32)


def _rows(embeddings: Sequence[Embedding | None]) -> NDArray[np.float32]:
    """One row each, zeros in place of none."""
    breadth = next((len(each.vector) for each in embeddings if each is not None), 1)
    return np.array([np.zeros(breadth) if each is None else each.vector for each in embeddings], np.float32)
