"""Labelled images: who is on them, in which session, and of which groups."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from benchmarks.people_split import part_of
from benchmarks.photos import SUFFIXES
from benchmarks.table_file import read_table

Share = Literal["calibrating", "held out"]


class LabelsError(Exception):
    """`labels_invalid`: labels or a list of sets cannot be used; the message names file and line."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "labels_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImage:
    """One image of a set."""

    file: str
    """Relative to the set's folder."""
    person: str
    session: str | None = None
    """Images of one person and one session are not compared: they are nearly the same picture. None: all are."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Attribute → value, such as `sex` → `f`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """Images of one population."""

    name: str
    population: str
    folder: Path
    images: tuple[LabelledImage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One entry of a list of sets."""

    name: str
    population: str
    folder: str
    names: str
    held_out: Literal["by name"] | tuple[str, ...] = ()


def read_sets(listed: Path, *, data: Path, share: Share) -> tuple[LabelledSet, ...]:
    """The sets of a TOML list that are below `data`, each with the images of one share of its people.

    Raises:
        LabelsError: the list or a set cannot be used. OSError: a file cannot be read.
    """
    try:
        content = msgspec.convert(tomllib.loads(listed.read_text("utf-8")), dict[str, list[_Listed]], strict=True)
        return tuple(_set(entry, data, share) for entry in content["sets"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, KeyError, re.error) as error:
        raise LabelsError(f"{listed} is no list of sets ({type(error).__name__}: {error})") from error


def read_labels(path: Path, *, folder: Path) -> LabelledSet:
    """A set from CSV: `image,person`, perhaps `session`; every other column is an attribute whose values are groups.

    Raises:
        LabelsError: a column is missing, a cell is empty, or an image comes twice.
        TableError: it is no CSV in UTF-8. OSError: the file cannot be read.
    """
    columns, rows = read_table(path)
    missing = {"image", "person"} - columns
    if missing:
        raise LabelsError(f"{path} lacks the columns {', '.join(sorted(missing))}: image,person,[session],groups")
    images = tuple(_row(row, f"{path} line {line}") for line, row in rows)
    files = [image.file for image in images]
    if len(set(files)) < len(files):
        raise LabelsError(f"{path} lists {max(files, key=files.count)} twice")
    return LabelledSet(name=path.stem, population=path.stem, folder=folder, images=images)


def _set(entry: _Listed, data: Path, share: Share) -> LabelledSet:
    folder = data / entry.folder
    pattern = re.compile(entry.names)
    files = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    images = [_named(name, pattern, folder) for name in files]
    kept = tuple(image for image in images if _is_held_out(image.person, entry) == (share == "held out"))
    return LabelledSet(name=entry.name, population=entry.population, folder=folder, images=kept)


def _named(name: str, pattern: re.Pattern[str], folder: Path) -> LabelledImage:
    found = pattern.fullmatch(name)
    if found is None:
        raise LabelsError(f"{folder / name} is not named as {pattern.pattern} says")
    parts: Mapping[str, Any] = found.groupdict()
    return LabelledImage(file=name, person=parts["person"], session=parts.get("session"))


def _is_held_out(person: str, entry: _Listed) -> bool:
    return part_of(person) == "test" if entry.held_out == "by name" else person in entry.held_out


def _row(row: Mapping[str, str | None], where: str) -> LabelledImage:
    empty = sorted(str(name) for name, value in row.items() if not value)
    if empty:
        raise LabelsError(f"{where}: {', '.join(empty)} is empty, or the line has too many cells")
    cells = {name: str(value) for name, value in row.items()}
    file, person, session = cells.pop("image"), cells.pop("person"), cells.pop("session", None)
    return LabelledImage(file=file, person=person, session=session, groups=cells)


def people(images: Sequence[LabelledImage]) -> tuple[str, ...]:
    """The people on some images, sorted."""
    return tuple(sorted({image.person for image in images}))
