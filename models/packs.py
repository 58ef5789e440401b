"""Finds a pack by the name that HEYAN_PACK gives it: heyan's manifest describes it, or an operator's own directory.

A directory holds its weight files and `heyan-pack.toml`, which has the form of heyan's own manifest and one pack; a few
packs are known by their files alone (`recognised.toml`). It is told from a name by a slash (`./pack`). The contract of
its embedder is made from weights and preprocessing, never written: whoever changes a mean or a file has templates of
another kind, whatever they call them.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from models.compile import ANSWERS_VERSION
from models.errors import ModelError
from models.manifest import Carrier, Manifest, ModelEntry, Pack, load_manifest, manifest_invalid, parse_manifest

DEFAULT = "open"
OWN_MANIFEST = "heyan-pack.toml"
INSIGHTFACE = "insightface:"
"""Before the names of packs that the package insightface knows too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPack:
    """A pack and all that its manifest says of its models."""

    name: str
    """As it was asked for."""
    title: str
    """What its manifest calls it; of a directory not its path."""
    pack: Pack
    models: Mapping[str, ModelEntry]
    carriers: Mapping[str, Carrier]
    folder: Path | None = None
    """Of an operator's own pack: where its files are."""

    @property
    def contract(self) -> str | None:
        """Of the embeddings that it makes; None of a pack that compares no faces."""
        return None if self.pack.embedder is None else self.models[self.pack.embedder].contract


def default_pack() -> str:
    """`HEYAN_PACK`, else the pack that heyan comes with."""
    return os.environ.get("HEYAN_PACK") or DEFAULT


def find_pack(name: str) -> FoundPack:
    """The pack of a name or of a directory.

    Raises:
        ModelError: `pack_unknown`; `manifest_invalid` for a directory whose manifest cannot be used.
    """
    if is_directory(name):
        return _own_pack(name)
    return _described(load_manifest(), name, name)


def shipped_packs() -> tuple[FoundPack, ...]:
    """All packs that heyan's manifest describes."""
    return tuple(find_pack(name) for name in load_manifest().packs)


def is_directory(name: str) -> bool:
    """Whether a pack's name is the path of a directory: it has a slash, or stands for one."""
    return "/" in name or os.sep in name or name in {".", "..", "~"}


def source_folder(found: FoundPack, entry: ModelEntry, directory: Path | None) -> Path | None:
    """The one folder that a file is taken from; None if the sources that its entry names are asked.

    `directory`: an operator's directory of files for packs that heyan describes (`models.prepare.model_directory`).
    """
    if found.folder is not None:
        elsewhere = entry.carrier is not None or bool(entry.urls)
        return None if elsewhere and not (found.folder / entry.file).is_file() else found.folder
    if not found.name.startswith(INSIGHTFACE):
        return directory
    places = tuple(_insightface_places(found.name.removeprefix(INSIGHTFACE), directory))
    return next((place for place in places if (place / entry.file).is_file()), places[0])


def _insightface_places(name: str, directory: Path | None) -> Iterator[Path]:
    """Where the files of a pack of insightface may be: as in its home, or all in one folder."""
    home = directory or Path.home() / ".insightface"
    yield home / "models" / name
    yield home / name
    if directory is not None:
        yield directory


def _own_pack(name: str) -> FoundPack:
    folder = Path(name).expanduser().absolute()
    path = folder / OWN_MANIFEST
    try:
        manifest = parse_manifest(path.read_text("utf-8"), where=str(path))
    except UnicodeDecodeError as error:
        raise manifest_invalid(str(path), f"it is no UTF-8 text: byte {error.start}") from None
    except FileNotFoundError:
        manifest = _recognised(folder)
    except OSError as error:
        raise ModelError("pack_unknown", f"{path}: {error.strerror}") from None
    for fault in _own_faults(manifest):
        raise manifest_invalid(str(path), fault)
    models = {model: _with_contract(entry) for model, entry in manifest.models.items()}
    found = _described(replace(manifest, models=models), next(iter(manifest.packs)), name)
    return replace(found, folder=folder)


def _recognised(folder: Path) -> Manifest:
    """The manifest of a known pack all of whose files lie in a folder; their checksums are checked when it is prepared.

    Raises:
        ModelError: `pack_unknown` if there is none.
    """
    known = parse_manifest(
        files("models").joinpath("recognised.toml").read_text("utf-8"), where="models/recognised.toml"
    )
    for name, pack in known.packs.items():
        models = {model: known.models[model] for model in pack.models}
        if all((folder / entry.file).is_file() for entry in models.values()):
            return Manifest(carriers={}, packs={name: pack}, models=models)
    wanted = "; ".join(" and ".join(known.models[model].file for model in pack.models) for pack in known.packs.values())
    message = f"{folder} holds neither {OWN_MANIFEST} nor the files of a pack that is known by them ({wanted})"
    raise ModelError("pack_unknown", f"{message}; see docs/packs.md")


def _own_faults(manifest: Manifest) -> Iterator[str]:
    """What an operator's own manifest may not say."""
    if len(manifest.packs) != 1:
        yield f"it has {len(manifest.packs)} tables [packs.NAME]: must be one"
        return
    name, pack = next(iter(manifest.packs.items()))
    if pack.detector is None or pack.embedder is None:
        yield f"`packs.{name}` must name a `detector` and an `embedder`"
    if pack.attack_detectors:
        yield f"`packs.{name}.attack_detectors` has no use: heyan's own network for that belongs to no pack"
    for model, entry in manifest.models.items():
        if entry.shipped:
            yield f"`models.{model}.shipped` is for heyan's own networks: leave it out"
        if entry.contract is not None:
            yield f"`models.{model}.contract` is made from weights and preprocessing: leave it out"


def _with_contract(entry: ModelEntry) -> ModelEntry:
    if entry.task != "embedding":
        return entry
    digest = sha256(f"{entry.arithmetic} {ANSWERS_VERSION}".encode()).hexdigest()[:16]
    return replace(entry, contract=f"own/{digest}")


def _described(manifest: Manifest, pack: str, name: str) -> FoundPack:
    if pack not in manifest.packs:
        message = (
            f"no model pack is named {pack!r}; choose one of {', '.join(manifest.packs)}, or a directory (./{pack})"
        )
        raise ModelError("pack_unknown", message)
    described = manifest.packs[pack]
    models = {model: manifest.models[model] for model in described.models}
    return FoundPack(name=name, title=pack, pack=described, models=models, carriers=manifest.carriers)
