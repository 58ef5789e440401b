"""Passive attack detection on single frames: BPCER, APCER of each species, AUC (ISO/IEC 30107-3)."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from models.engine import Engine
from models.errors import ImageError
from models.image import decode_image

Floats = NDArray[np.float64]

THREADS = 2


def live_probabilities(photos: Sequence[Path], *, engine: Engine, advance: Callable[[], object]) -> tuple[Floats, int]:
    """Probability of "live" of the largest face of each photo, and how many showed no face.

    Raises:
        ImageError: a file is no picture; the message names it.
    """

    def probability(photo: Path) -> float:
        try:
            frame = decode_image(photo.read_bytes())
        except ImageError as error:
            raise ImageError(error.code, f"{photo.name}: {error}") from None
        faces = engine.detect(frame)
        logit = engine.live_logit(frame, faces[0]) if faces else None
        advance()
        return engine.attack_detector.probability([logit]) if logit is not None else np.nan

    with ThreadPoolExecutor(THREADS) as pool:
        found = np.array(list(pool.map(probability, photos)))
    return found[np.isfinite(found)], int(np.isnan(found).sum())


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


def _area(higher: Floats, lower: Floats) -> float:
    """Share of pairs in which the first is higher, ties by half (Mann and Whitney, 1947)."""
    ranks = rankdata(np.concatenate([higher, lower]))[: len(higher)]
    return float((ranks.sum() - len(higher) * (len(higher) + 1) / 2) / (len(higher) * len(lower)))


def _interval(count: int, total: int) -> list[float]:
    """Clopper-Pearson at 95 %, on frames: frames of one person are not independent, so the truth is wider."""
    found = binomtest(count, total).proportion_ci(0.95, method="exact")
    return [float(found.low), float(found.high)]
