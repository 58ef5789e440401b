"""A network on another machine, as the engine sees it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.remote.identity import Identity, mismatch, read_description, require_same

Task = Literal["detection", "embedding", "attack_detection"]
TASKS: tuple[Task, ...] = get_args(Task)
"""The networks of one deployment."""

Pictures = NDArray[np.uint8]
Outputs = Sequence[NDArray[np.float32]]

Answer = tuple[str, Outputs]
"""The digest of who computed (`Identity.digest`), and the outputs in the graph's order."""


class Farm(Protocol):
    """The way to a deployment. Thread safe; each call waits for the answer, for a limited time."""

    def describe(self) -> Any:
        """`models.remote.identity.Description` as plain values. Raises EngineUnavailableError."""

    def run(self, task: Task, pictures: Pictures) -> Answer:
        """One run. Raises EngineUnavailableError."""


@dataclass(frozen=True, slots=True)
class RemoteNetwork:
    """One network of a deployment (`models.network.PictureNetwork`). Thread safe."""

    farm: Farm
    task: Task
    expected: Identity
    provider: str
    outputs: tuple[str, ...]
    runtime: Mapping[str, str]

    def run(self, pictures: Pictures) -> Outputs:
        """As `models.network.PictureNetwork.run`.

        Every answer says who computed it: a deployment may be replaced at any time, and numbers of other weights would
        pass for these.
        """
        digest, outputs = self.farm.run(self.task, pictures)
        if digest != self.expected.digest:
            raise mismatch("it has changed since this node started")
        for fault in _faults(outputs, names=self.outputs, rows=None if self.task == "detection" else len(pictures)):
            raise ModelError("engine_answer_invalid", f"the deployment's answer to {self.task} {fault}")
        return outputs

    def check(self) -> None:
        """As `models.network.PictureNetwork.check`."""
        require_same(read_description(self.farm.describe()).identity, expected=self.expected)


def _faults(outputs: Outputs, *, names: tuple[str, ...], rows: int | None) -> Iterator[str]:
    """What of an answer cannot be meant.

    `rows`: each output has one for each picture; None: the decoder knows what their shapes should be.
    """
    if len(outputs) != len(names):
        yield f"has {len(outputs)} outputs: must be {len(names)}"
        return
    for each in outputs:
        if not isinstance(each, np.ndarray) or each.dtype != np.float32 or not each.ndim:
            yield "holds something else than arrays of float32"
        elif rows is not None and len(each) != rows:
            yield f"has the shape {each.shape} for {rows} pictures"
