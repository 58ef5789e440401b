"""What a report consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Numbers to draw: without `x` the spread of each series, as a box; with it a line each, point by point."""

    title: str
    unit: str
    """What the numbers are, at their axis."""
    series: Mapping[str, tuple[float, ...]]
    """By name; NaN where nothing was measured."""
    x: tuple[float, ...] = ()
    x_unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table, what is to be said of it, and a drawing."""

    title: str
    headings: tuple[str, ...]
    """The first names a row; the others stand above numbers."""
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    chart: Chart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Of one run of one command."""

    command: str
    """As it was called."""
    verdict: str
    """The finding, in a sentence."""
    sections: tuple[Section, ...]
    machine: Mapping[str, object] = field(default_factory=dict)
    """`benchmarks.machine.describe_machine`."""
