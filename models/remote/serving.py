"""The side that has the weights: runs networks for many who ask, those of equal shape together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models.alignment import SIDE
from models.detection import FIRST_SIDE
from models.engine import Engine
from models.errors import ModelError
from models.network import PictureNetwork
from models.packs import DEFAULT, find_pack
from models.pad_crops import SIDE as VIEW_SIDE
from models.prepare import default_data_dir
from models.remote.identity import Description, Identity, identity_of
from models.remote.network import TASKS, Answer, Outputs, Pictures, Task

SHAPES: Mapping[Task, tuple[int, ...]] = {
    "detection": (FIRST_SIDE, FIRST_SIDE, 3),
    "embedding": (SIDE, SIDE, 3),
    "attack_detection": (2, VIEW_SIDE, VIEW_SIDE, 3),
}
"""Of one picture, to try a network with."""
CLOSE = 1e-3
"""What an output may differ by when pictures run together: kernels of other sizes add up in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOptions:
    """What a deployment is told, in the configuration of Ray Serve."""

    pack: str = DEFAULT
    data_dir: str | None = None
    """Where `heyan models prepare` has put the weights; none: as on any machine."""
    provider: str = "auto"
    threads: int = 1
    batch: int = 16
    """Most requests that run together."""
    batch_wait_seconds: float = 0.002
    """How long the first of them waits for others."""

    def __post_init__(self) -> None:
        if self.threads < 1 or self.batch < 1 or not 0 <= self.batch_wait_seconds <= 1:
            raise ValueError("threads and batch must be at least 1, batch_wait_seconds 0 to 1")


def read_options(arguments: Mapping[str, Any]) -> ServingOptions:
    """Options from the `args` of an application.

    Raises:
        ModelError: `manifest_invalid`; the message names what is wrong.
    """
    strange = sorted(arguments.keys() - set(ServingOptions.__dataclass_fields__))
    if strange:
        known = ", ".join(ServingOptions.__dataclass_fields__)
        raise ModelError("manifest_invalid", f"`args.{strange[0]}` of the application is unknown; there are {known}")
    try:
        return msgspec.convert(dict(arguments), ServingOptions, strict=True)
    except msgspec.ValidationError as error:
        raise ModelError("manifest_invalid", f"`args` of the application: {error}") from None


@dataclass(frozen=True, slots=True)
class Served:
    """The networks of one prepared pack, and a count of what they did. Thread safe but for one task at a time."""

    networks: Mapping[Task, PictureNetwork]
    together: Mapping[Task, bool]
    """Whether a network answers several pictures at once as it answers each: some of operators' own take only one."""
    identity: Identity
    threads: int
    requests: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)

    @classmethod
    def open(cls, options: ServingOptions) -> "Served":
        """Load the pack, and try each network. Raises ModelError as `Engine.open`."""
        data_dir = default_data_dir() if options.data_dir is None else Path(options.data_dir)
        engine = Engine.open(data_dir=data_dir, pack=options.pack, provider=options.provider, threads=options.threads)
        return cls.of(engine)

    @classmethod
    def of(cls, engine: Engine) -> "Served":
        """The networks of an engine."""
        networks: Mapping[Task, PictureNetwork] = {
            "detection": engine.detector.network,
            "embedding": engine.embedder.network,
            "attack_detection": engine.attack_detector.network,
        }
        together = {task: runs_together(network, SHAPES[task]) for task, network in networks.items()}
        return cls(networks, together, identity_of(find_pack(engine.pack)), engine.threads)

    def describe(self) -> Any:
        """As `models.remote.network.Farm.describe`."""
        embedder = self.networks["embedding"]
        description = Description(
            identity=self.identity,
            provider=embedder.provider,
            threads=self.threads,
            runtime=embedder.runtime,
            outputs={task: network.outputs for task, network in self.networks.items()},
            requests={task: self.requests[task] for task in TASKS},
            runs={task: self.runs[task] for task in TASKS},
        )
        return msgspec.to_builtins(description)

    def answer(self, task: Task, requests: Sequence[Pictures]) -> list[Answer]:
        """An answer to each request, in order; those whose pictures have one shape take one run."""
        answers: dict[int, Answer] = {}
        for group in self._groups(task, requests):
            found = _run([requests[index] for index in group], self.networks[task])
            self.runs[task] += 1
            answers |= {index: (self.identity.digest, outputs) for index, outputs in zip(group, found, strict=True)}
        self.requests[task] += len(requests)
        return [answers[index] for index in range(len(requests))]

    def _groups(self, task: Task, requests: Sequence[Pictures]) -> list[list[int]]:
        """Indices of requests that run together."""
        if not self.together[task]:
            return [[index] for index in range(len(requests))]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, pictures in enumerate(requests):
            groups.setdefault(pictures.shape[1:], []).append(index)
        return list(groups.values())


def runs_together(network: PictureNetwork, shape: tuple[int, ...]) -> bool:
    """Whether a network answers three different pictures of a shape at once as it answers each of them."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    alone = [network.run(picture[None]) for picture in pictures]
    try:
        parts = _run([picture[None] for picture in pictures], network)
    except Exception:  # the runtime raises many unrelated types
        return False
    pairs = [pair for one, other in zip(alone, parts, strict=True) for pair in zip(one, other, strict=True)]
    return all(one.shape == other.shape and np.allclose(one, other, rtol=CLOSE, atol=CLOSE) for one, other in pairs)


def _run(requests: Sequence[Pictures], network: PictureNetwork) -> list[Outputs]:
    """One run for all requests, whose pictures have one shape. Raises ValueError if outputs cannot be told apart."""
    if len(requests) == 1:
        return [network.run(requests[0])]
    outputs = network.run(np.concatenate(requests))
    ends = np.cumsum([len(pictures) for pictures in requests])
    if any(len(each) != ends[-1] for each in outputs):
        raise ValueError("an output has not one row for each picture")
    parts = [np.split(each, ends[:-1]) for each in outputs]
    return [[each[index] for each in parts] for index in range(len(requests))]
