"""What computes: all that the numbers of a pack depend on. Both sides make it from their own manifests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from models.compile import COMPILER_VERSION
from models.engine import ATTACK_DETECTOR
from models.errors import ModelError
from models.manifest import ModelEntry, load_manifest
from models.packs import FoundPack

INTERFACE = 1
"""Of what is sent and answered; another number does not understand this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One pack with the attack detector, as it is prepared."""

    pack: str
    contract: str
    """Of the embeddings."""
    weights: Mapping[str, str]
    """SHA-256 of each weight file, by the model's name."""
    prepared: Mapping[str, str]
    """Digest of weights, preprocessing and compiler, by the model's name."""
    interface: int = INTERFACE

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that come with every answer."""
        return sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a deployment says of itself."""

    identity: Identity
    provider: str
    """That its networks run on: `cpu`, `cuda`, `tensorrt` or `openvino`."""
    threads: int
    runtime: Mapping[str, str]
    outputs: Mapping[str, tuple[str, ...]]
    """Names of each network's outputs, in order, by task (`models.remote.network.TASKS`)."""
    requests: Mapping[str, int]
    """Answered by this replica since its start, by task."""
    runs: Mapping[str, int]
    """Of networks that took: fewer than requests where some were answered together."""


def identity_of(found: FoundPack) -> Identity:
    """The identity that a pack's manifest stands for. Raises ModelError `pack_unknown` if it compares no faces."""
    if found.contract is None:
        raise ModelError("pack_unknown", f"the pack {found.name!r} compares no faces: set HEYAN_PACK to another")
    entries = {**found.models, ATTACK_DETECTOR: load_manifest().models[ATTACK_DETECTOR]}
    return Identity(
        pack=found.title,
        contract=found.contract,
        weights={name: entry.sha256 for name, entry in entries.items()},
        prepared={name: _prepared(entry) for name, entry in entries.items()},
    )


def read_description(content: Any) -> Description:
    """A description from plain values, as it travels. Raises ModelError `engine_answer_invalid`."""
    try:
        return msgspec.convert(content, Description, strict=True)
    except msgspec.ValidationError as error:
        message = f"the deployment describes itself in a way that this version does not read ({error}): {SAME_VERSION}"
        raise ModelError("engine_answer_invalid", message) from None


def require_same(found: Identity, *, expected: Identity) -> None:
    """Refuse a deployment whose numbers would be others. Raises ModelError `engine_mismatch`, which names them."""
    differences = tuple(_differences(found, expected))
    if differences or found != expected:
        raise mismatch("; ".join(differences))


def mismatch(what: str) -> ModelError:
    """The error of a deployment that computes with something else than this node's manifest says."""
    return ModelError("engine_mismatch", f"the deployment is another than this node expects: {what}; {SAME_VERSION}")


SAME_VERSION = "deploy the same version of heyan with the same pack on both sides"


def _prepared(entry: ModelEntry) -> str:
    return sha256(f"{entry.arithmetic} {COMPILER_VERSION}".encode()).hexdigest()


def _differences(found: Identity, expected: Identity) -> Iterator[str]:
    for name in ("interface", "pack", "contract"):
        there, here = getattr(found, name), getattr(expected, name)
        if there != here:
            yield f"its {name} is {there!r}, here it is {here!r}"
    for model in sorted(found.prepared.keys() | found.weights.keys() | expected.weights.keys()):
        if found.weights.get(model) != expected.weights.get(model):
            yield f"other weights of {model!r}"
        elif found.prepared.get(model) != expected.prepared.get(model):
            yield f"other preprocessing or another compiler for {model!r}"
