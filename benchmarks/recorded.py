"""Records what the networks are given while some work runs, so that the bare networks can be run on the very same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.engine import Engine
from models.network import PictureNetwork

Run = tuple[PictureNetwork, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class RecordingNetwork:
    """Runs as its original, and keeps every input."""

    original: PictureNetwork
    runs: list[Run] = field(default_factory=list)

    @property
    def provider(self) -> str:
        """As the original's."""
        return self.original.provider

    @property
    def outputs(self) -> tuple[str, ...]:
        """As the original's."""
        return self.original.outputs

    @property
    def runtime(self) -> Mapping[str, str]:
        """As the original's."""
        return self.original.runtime

    def run(self, pictures: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """As `PictureNetwork.run`."""
        self.runs.append((self.original, pictures.copy()))
        return self.original.run(pictures)

    def check(self) -> None:
        """As the original's."""
        self.original.check()


@dataclass(frozen=True, slots=True)
class Recording:
    """An engine that records into `runs`, in order over both networks."""

    engine: Engine
    runs: list[Run]


def recording(engine: Engine) -> Recording:
    """An engine with the same networks that records."""
    runs: list[Run] = []
    detector, embedder, attacks = (
        RecordingNetwork(network, runs)
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
