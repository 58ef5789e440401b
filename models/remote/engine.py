"""The engine of a node without weights: its networks are those of a deployment."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.detection import Decoder, Face, Sides
from models.engine import ATTACK_DETECTOR, Engine
from models.errors import ModelError
from models.licences import require_accepted
from models.packs import find_pack
from models.remote.identity import identity_of, read_description, require_same
from models.remote.network import Farm, RemoteNetwork, Task


def open_remote_engine(farm: Farm, *, data_dir: Path, pack: str) -> Engine:
    """The engine of a pack whose networks a deployment runs; each has run once when this returns.

    Raises:
        ModelError: `engine_unavailable`; `engine_mismatch` if the deployment has another pack, other weights, or some
            that were prepared otherwise; `engine_answer_invalid`; and as `Engine.open` of what a node needs itself:
            `pack_unknown`, `manifest_invalid`, `licence_not_accepted`.
    """
    found = find_pack(pack)
    require_accepted(data_dir, found)
    expected, description = identity_of(found), read_description(farm.describe())
    require_same(description.identity, expected=expected)
    tasks: Mapping[str | None, Task] = {
        found.pack.detector: "detection",
        found.pack.embedder: "embedding",
        ATTACK_DETECTOR: "attack_detection",
    }

    def network(name: str, *shape: int) -> RemoteNetwork:
        task = tasks[name]
        opened = RemoteNetwork(
            farm=farm,
            task=task,
            expected=expected,
            provider=f"ray ({description.provider})",
            outputs=description.outputs.get(task, ()),
            runtime=description.runtime,
        )
        opened.run(np.zeros(shape, np.uint8))
        return opened

    engine = Engine.assembled(found, network, threads=description.threads)
    return replace(engine, detector=replace(engine.detector, decode=_guarded(engine.detector.decode)))


def _guarded(decode: Decoder) -> Decoder:
    """A decoder that takes outputs of shapes that it cannot read for what they are: an answer that cannot be meant."""

    def decoded(outputs: Mapping[str, NDArray[np.float32]], sides: Sides, scale: float) -> tuple[Face, ...]:
        try:
            return decode(outputs, sides, scale)
        except (ValueError, IndexError, KeyError) as error:
            message = f"the deployment's answer to detection has shapes that cannot be read: {error}"
            raise ModelError("engine_answer_invalid", message) from error

    return decoded
