"""Passive presentation attack detection: does this picture of a face look like a picture of a picture?

One witness among several. The network is our own (docs/pad-model-card.md); it looks at two views of a face and gives a
logit for each, the higher the more like a live face.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp
from statistics import fmean

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.network import PictureNetwork

Views = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: probability of "live" = 1 / (1 + exp(-(slope * logit + offset)))."""

    slope: float
    offset: float
    threshold: float
    """A single frame counts as an attack below this probability. A session pools several frames and has thresholds of
    its own, in the policy."""

    def probability(self, logit: float) -> float:
        """0 (attack) to 1 (live); monotonic in the logit."""
        z = self.slope * logit + self.offset
        return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


@dataclass(frozen=True, slots=True)
class AttackDetector:
    """The network and its calibration. Thread safe."""

    network: PictureNetwork
    calibration: Calibration

    def logit(self, views: Views) -> float:
        """Mean logit of both views of one face, uint8 (2, 80, 80, 3) BGR (`models.pad_crops`).

        Raises:
            ModelError: `logit_not_finite`.
        """
        found = float(self.network.run(views[None])[0].mean())
        if not np.isfinite(found):
            raise ModelError("logit_not_finite", "the attack detector gave no finite number; nothing was decided")
        return found

    def probability(self, logits: Sequence[float]) -> float:
        """Probability of "live" of a clip, from the logits of its frames (one or more): the mean is calibrated."""
        return self.calibration.probability(fmean(logits))


def read_calibration(name: str) -> Calibration:
    """The calibration that is shipped beside a network's weights."""
    text = files("models").joinpath("weights", f"{name}.json").read_text("utf-8")
    return msgspec.json.decode(text, type=Calibration)
