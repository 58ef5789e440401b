"""Draws a DET curve (Martin et al., Eurospeech 1997): both errors on normal-deviate axes, where good is down left."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from benchmarks.error_rates import Floats, OperatingPoint

TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)
LEAST = 0.00005


def draw_det(path: Path, *, fmr: Floats, fnmr: Floats, points: tuple[OperatingPoint, ...], title: str) -> None:
    """Write a PNG. `fmr`, `fnmr`: (K,) shares at the same thresholds."""
    figure = Figure(figsize=(7, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    seen = (fmr > 0) | (fnmr > 0)
    axes.step(_deviate(fmr[seen]), _deviate(fnmr[seen]), where="post", label="all thresholds")
    for point in points:
        label = f"FMR {point.target_fmr:.2%}: FNMR {point.fnmr:.2%} at cosine {point.threshold:.3f}"
        axes.plot(_deviate(np.array([point.fmr])), _deviate(np.array([point.fnmr])), "o", label=label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(list(_deviate(np.array(TICKS))), [f"{tick:.2%}" for tick in TICKS])
    axes.set(xlabel="false match rate", ylabel="false non-match rate", title=title)
    reach = _deviate(np.array([LEAST, 0.5]))
    axes.set(xlim=tuple(reach), ylim=tuple(reach))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize="small")
    figure.savefig(path)


def _deviate(shares: Floats) -> Floats:
    """Normal deviates; shares that no axis can show are put at its end."""
    return np.asarray(norm.ppf(np.clip(shares, LEAST, 1 - LEAST)))
