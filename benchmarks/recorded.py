"""Records what the networks are given while some work runs, so that the bare networks can be run on the very same."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.engine import Engine
from models.session import Network

Run = tuple[Network, NDArray[np.uint8]]


@dataclass(frozen=True)
class RecordingNetwork(Network):
    """Runs as its original, and keeps every input."""

    runs: list[Run] = field(default_factory=list)

    def run(self, pictures: NDArray[np.uint8]) -> "list[NDArray[np.float32]]":
        """As `Network.run`."""
        self.runs.append((Network(self._session, self.provider), pictures.copy()))
        return list(Network.run(self, pictures))


@dataclass(frozen=True, slots=True)
class Recording:
    """An engine that records into `runs`, in order over both networks."""

    engine: Engine
    runs: list[Run]


def recording(engine: Engine) -> Recording:
    """An engine with the same networks that records."""
    runs: list[Run] = []
    detector, embedder, attacks = (
        RecordingNetwork(network._session, network.provider, runs)
        for network in (engine.detector.network, engine.embedder.network, engine.attack_detector.network)
    )
    copied = replace(
        engine,
        detector=replace(engine.detector, network=detector),
        embedder=replace(engine.embedder, network=embedder),
        attack_detector=replace(engine.attack_detector, network=attacks),
    )
    return Recording(copied, runs)


def run_bare(runs: Sequence[Run]) -> None:
    """The recorded runs again, and nothing else."""
    for network, pictures in runs:
        network.run(pictures)
