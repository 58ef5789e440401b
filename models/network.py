"""What the engine needs of a network, wherever that runs: in this process (`models.session`) or on another machine
(`models.remote`)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PictureNetwork(Protocol):
    """A network that takes pictures. Thread safe."""

    @property
    def provider(self) -> str:
        """What it runs on, such as `cpu` or `cuda`."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""

    @property
    def runtime(self) -> Mapping[str, str]:
        """What runs it, for people to read."""

    def run(self, pictures: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """Outputs in the graph's order for pictures, uint8 (N, H, W, 3) BGR; of faces' views (N, 2, H, W, 3).

        Raises:
            ModelError: `engine_unavailable`, `engine_mismatch`, `engine_answer_invalid` of a network elsewhere.
        """

    def check(self) -> None:
        """Whether it can run now. Raises ModelError as `run`."""
