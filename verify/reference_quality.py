"""What a reference photo is warned of: scores of its quality components against lines that are kept as data.

A warning tells the registration service what to mend, and refuses nothing: what is refused (no face, several, one that
is too small) is the matter of `models.portrait`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

from models.embedding import Embedding
from models.engine import Engine
from models.face_quality.assessment import MEASURES, Component
from models.image import Frame


class QualityStatus(StrEnum):
    """What is to be said of a component."""

    GOOD = "good"
    WARNING = "warning"
    NOT_ASSESSED = "not_assessed"
    """It cannot be measured on this photo."""
    NOT_JUDGED = "not_judged"
    """It is measured, but has no line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLine:
    """Of one component."""

    least: float
    """Score, 0 to 100, below which it is warned of."""
    advice: str
    """What is wrong and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLines:
    """Of all components that are judged, by name, under one version."""

    version: str
    components: Mapping[str, QualityLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A component and what is to be said of it. `advice` comes with a warning."""

    component: Component
    status: QualityStatus
    advice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is made of an ID photo: the template, and the names of the components that are warned of."""

    template: Embedding
    warnings: tuple[str, ...] = ()


def make_reference(frame: Frame, engine: Engine, lines: QualityLines) -> Reference:
    """The template of an ID photo and its warnings.

    Raises:
        FaceError: as `Engine.portrait`. ModelError: as `Engine.embed`.
    """
    found = engine.portrait(frame)
    warnings = warnings_of(engine.components(found.frame, found.face), lines)
    return Reference(template=engine.template(found.frame, found.face), warnings=warnings)


@cache
def quality_lines() -> QualityLines:
    """The lines that heyan ships.

    Raises:
        ValueError: the file names a component that is not measured, or a score that is none.
    """
    text = files("verify").joinpath("quality_lines.toml").read_text("utf-8")
    lines = msgspec.convert(tomllib.loads(text), QualityLines, strict=True)
    unknown = sorted(set(lines.components) - set(MEASURES))
    beyond = sorted(name for name, line in lines.components.items() if not 0 < line.least <= 100)  # noqa: PLR2004
    if unknown or beyond:
        raise ValueError(f"quality_lines.toml: not measured: {unknown}; not above 0 and up to 100: {beyond}")
    return lines


def judge(components: Sequence[Component], lines: QualityLines) -> tuple[Judged, ...]:
    """Each component with its status, in order."""
    return tuple(_judged(each, lines.components.get(each.name)) for each in components)


def warnings_of(components: Sequence[Component], lines: QualityLines) -> tuple[str, ...]:
    """Names of the components that are warned of, in order."""
    judged = judge(components, lines)
    return tuple(each.component.name for each in judged if each.status is QualityStatus.WARNING)


def _judged(component: Component, line: QualityLine | None) -> Judged:
    if component.score is None:
        return Judged(component=component, status=QualityStatus.NOT_ASSESSED, advice=None)
    if line is None:
        return Judged(component=component, status=QualityStatus.NOT_JUDGED, advice=None)
    if component.score < line.least:
        return Judged(component=component, status=QualityStatus.WARNING, advice=line.advice)
    return Judged(component=component, status=QualityStatus.GOOD, advice=None)
