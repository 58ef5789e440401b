"""Error rates by group as a picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verify.calibration import GroupRates

LEAST = 1e-5
"""Shares below are drawn at the axis' end."""


def draw_groups(path: Path, rates: Mapping[str, Mapping[str, GroupRates]], *, title: str) -> None:
    """Write a PNG: a dot for what was measured, a bar up to the 95 % bound, for FMR and FNMR side by side."""
    rows = [(f"{attribute}: {value}", each) for attribute, groups in rates.items() for value, each in groups.items()]
    figure = Figure(figsize=(9, 0.4 * len(rows) + 1.6), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [name for name, _ in rows]
    _draw(left, names, [each.fmr for _, each in rows], [each.fmr_upper_95 for _, each in rows], "false match rate")
    _draw(
        right, names, [each.fnmr for _, each in rows], [each.fnmr_upper_95 for _, each in rows], "false non-match rate"
    )
    left.invert_yaxis()
    figure.suptitle(title)
    figure.savefig(path)


def _draw(axes: Axes, names: list[str], shares: list[float | None], uppers: list[float | None], label: str) -> None:
    axes.barh(names, [upper or 0.0 for upper in uppers], alpha=0.35, label="95 % upper bound")
    known = [(name, max(share, LEAST)) for name, share in zip(names, shares, strict=True) if share is not None]
    axes.plot([share for _, share in known], [name for name, _ in known], "k.", label="measured")
    axes.set(xscale="log", xlim=(LEAST, 1), xlabel=label)
    axes.grid(alpha=0.3, axis="x")
    axes.legend(fontsize="small")
