"""The list of pairs of a recognition protocol: `fold,image_a,image_b,same` as CSV; `fold` may be missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from re import fullmatch

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.table_file import read_table

FOLDS = 10
COLUMNS = {"image_a", "image_b", "same"}


class PairsError(Exception):
    """`pairs_invalid`: the list cannot be used; the message names file and line."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "pairs_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two images, and whether they show one person."""

    fold: int
    image_a: str
    image_b: str
    same: bool


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Read a list of pairs. Without folds, pairs are dealt to ten folds in turn, each kind by itself.

    Raises:
        PairsError: a column is missing, a line cannot be read, or there are no genuine or no impostor pairs.
        TableError: it is no CSV in UTF-8. OSError: the file cannot be read.
    """
    columns, rows = read_table(path)
    missing = COLUMNS - columns
    if missing:
        raise PairsError(f"{path} lacks the columns {', '.join(sorted(missing))}: fold,image_a,image_b,same")
    dealt = [0, 0]
    pairs = [_pair(row, dealt, f"{path} line {line}") for line, row in rows]
    if len({pair.same for pair in pairs}) != 2:
        raise PairsError(f"{path} needs pairs of one person (same=1) and pairs of two (same=0)")
    return tuple(pairs)


def people_of(pairs: tuple[Pair, ...]) -> dict[str, int]:
    """Number of the person on each image: images of one pair, or named `PERSON_1`, `PERSON_2`, belong together."""
    images = sorted({image for pair in pairs for image in (pair.image_a, pair.image_b)})
    place = {image: number for number, image in enumerate(images)}
    first: dict[str, int] = {}
    links = [(place[pair.image_a], place[pair.image_b]) for pair in pairs if pair.same]
    links += [(number, first.setdefault(_person(image), number)) for image, number in place.items()]
    ends = np.array(links)
    joined = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(images), len(images)))
    _, people = connected_components(joined, directed=False)
    return {image: int(people[number]) for image, number in place.items()}


def _pair(row: Mapping[str, str], dealt: list[int], where: str) -> Pair:
    same = row["same"]
    if same not in {"0", "1"} or not row["image_a"] or not row["image_b"]:
        raise PairsError(f"{where}: expected two images and same=0 or same=1")
    fold = row.get("fold") or str(1 + dealt[int(same)] % FOLDS)
    if not fold.isdecimal():
        raise PairsError(f"{where}: the fold {fold!r} is no number")
    dealt[int(same)] += 1
    return Pair(fold=int(fold), image_a=row["image_a"], image_b=row["image_b"], same=same == "1")


def _person(image: str) -> str:
    """`Jane_Doe_0002.jpg` → `Jane_Doe`; an image without a number stands for itself."""
    named = fullmatch(r"(.+)_\d+", Path(image).stem)
    return named.group(1) if named else image
