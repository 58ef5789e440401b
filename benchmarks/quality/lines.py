"""What the lines of warnings mean on a protocol: how many pairs fall below each, and how often those fail."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.discard import Trials
from verify.reference_quality import QualityLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """Of one component. Shares are 0 to 1; None where there is no pair."""

    least: float | None
    """Score below which is warned; None for all components together."""
    share: float
    """Of pairs with a photo below it."""
    fnmr_below: float | None
    fnmr_others: float | None


def below_lines(trials: Trials, lines: QualityLines) -> Mapping[str, Below]:
    """By component; "any of them" last."""
    marked = {name: trials.quality[name] < line.least for name, line in lines.components.items()}
    found = {name: _below(trials, marked[name], line.least) for name, line in lines.components.items()}
    anyhow = np.logical_or.reduce(list(marked.values()))
    return {**found, "any of them": _below(trials, anyhow, None)}


def _below(trials: Trials, marked: NDArray[np.bool_], least: float | None) -> Below:
    return Below(
        least=least,
        share=float(marked.mean()),
        fnmr_below=float(trials.missed[marked].mean()) if marked.any() else None,
        fnmr_others=float(trials.missed[~marked].mean()) if not marked.all() else None,
    )
