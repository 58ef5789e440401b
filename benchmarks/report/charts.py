"""Draws a chart as SVG."""

from io import StringIO

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report.document import Chart

WIDTH = 8.0
"""Inches."""
ROW = 0.34
"""Inches of one box."""


def as_svg(chart: Chart) -> str:
    """An `<svg>` element, whose text stays text; the same numbers give the same bytes."""
    height = 3.6 if chart.x else 1.2 + ROW * len(chart.series)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "heyan"}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        (_lines if chart.x else _boxes)(axes, chart)
        axes.set_title(chart.title)
        axes.grid(alpha=0.3)
        written = StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    content = written.getvalue()
    return content[content.index("<svg") :]


def _boxes(axes: Axes, chart: Chart) -> None:
    """Median, quartiles, and whiskers to the fifth and the ninety-fifth of a hundred."""
    names = list(chart.series)[::-1]
    axes.boxplot(
        [chart.series[name] for name in names],
        orientation="horizontal",
        tick_labels=names,
        whis=(5, 95),
        showfliers=False,
    )
    axes.set_xlabel(chart.unit)
    axes.set_xlim(left=0)


def _lines(axes: Axes, chart: Chart) -> None:
    for name, values in chart.series.items():
        axes.plot(chart.x, values, marker="o", label=name)
    axes.set(xlabel=chart.x_unit, ylabel=chart.unit)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
