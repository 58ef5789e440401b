"""Passive attack detection on single frames: BPCER, APCER of each species, AUC (ISO/IEC 30107-3)."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from re import Pattern
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from benchmarks.recognition import THREADS
from models.engine import Engine
from models.errors import ImageError
from models.image import decode_image

Floats = NDArray[np.float64]


def live_probabilities(photos: Sequence[Path], *, engine: Engine, advance: Callable[[], object]) -> dict[Path, float]:
    """Probability of "live" of the largest face of each photo; a photo without a face is left out.

    Raises:
        ImageError: a file is no picture; the message names it.
    """

    def probability(photo: Path) -> float | None:
        try:
            frame = decode_image(photo.read_bytes())
        except ImageError as error:
            raise ImageError(error.code, f"{photo.name}: {error}") from None
        faces = engine.detect(frame)
        logit = engine.live_logit(frame, faces[0]) if faces else None
        advance()
        return engine.attack_detector.probability([logit]) if logit is not None else None

    with ThreadPoolExecutor(THREADS) as pool:
        found = zip(photos, pool.map(probability, photos), strict=True)
        return {photo: share for photo, share in found if share is not None}


def pad_figures(bona_fide: Floats, attacks: Mapping[str, Floats], *, threshold: float) -> dict[str, Any]:
    """The figures at a threshold that was set on other data; a share below it counts as attack."""
    together = np.concatenate(list(attacks.values()))
    return {
        "threshold": threshold,
        "bpcer": float((bona_fide < threshold).mean()),
        "bpcer_95": _interval(int((bona_fide < threshold).sum()), len(bona_fide)),
        "apcer": {name: float((each >= threshold).mean()) for name, each in attacks.items()},
        "apcer_95": {name: _interval(int((each >= threshold).sum()), len(each)) for name, each in attacks.items()},
        "auc": _area(bona_fide, together),
        "frames": {"bona_fide": len(bona_fide), **{name: len(each) for name, each in attacks.items()}},
    }


def by_person(found: Mapping[Path, float], person: Pattern[str], *, threshold: float) -> dict[str, dict[str, float]]:
    """For each person, as `person`'s first group finds them in the file names: how many frames, and the share of them
    that count as live."""
    frames: dict[str, list[bool]] = {}
    for photo, share in found.items():
        named = person.search(photo.name)
        frames.setdefault(named.group(1) if named else "", []).append(share >= threshold)
    return {name: {"frames": len(live), "live": float(np.mean(live))} for name, live in sorted(frames.items())}


def draw_reliability(path: Path, bins: Sequence[Sequence[float]]) -> None:
    """Write a PNG of the reliability curve; each bin: number of samples, mean probability, share of live ones."""
    figure = Figure(figsize=(5, 4.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    _, told, true = zip(*bins, strict=True)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, label="perfect")
    axes.plot(told, true, "o-", label="rendered scenes of people not trained on")
    axes.set(xlabel="mean probability of live", ylabel="share of live scenes", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize="small")
    figure.savefig(path)


def _area(higher: Floats, lower: Floats) -> float:
    """Share of pairs in which the first is higher, ties by half (Mann and Whitney, 1947)."""
    ranks = rankdata(np.concatenate([higher, lower]))[: len(higher)]
    return float((ranks.sum() - len(higher) * (len(higher) + 1) / 2) / (len(higher) * len(lower)))


def _interval(count: int, total: int) -> list[float]:
    """Clopper-Pearson at 95 %, on frames: frames of one person are not independent, so the truth is wider."""
    found = binomtest(count, total).proportion_ci(0.95, method="exact")
    return [float(found.low), float(found.high)]
