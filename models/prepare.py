"""Gets a pack ready: fetch the sources, compile them, keep the result under the data directory.

<data>/models/sources/<file>                     as fetched, SHA-256 checked; of an operator's own pack <hash>-<file>
<data>/models/compiled/<model>-<key>.onnx        what runs; the key hashes source, preprocessing and compiler version
<data>/models/compiled/<model>-<key>.sha256      its own checksum: a damaged cache is found at start
<data>/models/compiled/<model>-<key>-8bit.onnx   of an embedder: what the CPU runs, if it was faster here
<data>/models/compiled/<model>-<key>-trial.json  whether it was (`models/weight_trial.py`)
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec
import platformdirs

from models.agreement import check_agreement
from models.compile import COMPILER_VERSION, compile_model
from models.compile_weights import narrow_weights
from models.errors import ModelError
from models.fetch import Progress, Wanted, fetch_file, sha256_of, silent, write_atomically
from models.licences import require_accepted
from models.manifest import ModelEntry, load_manifest
from models.packs import DEFAULT, FoundPack, find_pack, shipped_packs, source_folder
from models.weight_trial import WeightTrial, read_trial, try_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """One model of the inventory."""

    name: str
    pack: str
    entry: ModelEntry
    source: Path
    compiled: Path

    @property
    def ready(self) -> bool:
        """Whether both files are there; `verify_files` also reads them."""
        return self.source.is_file() and self.compiled.is_file()

    @property
    def narrow(self) -> Path:
        """The copy with 8-bit weights; it is there if its trial chose it."""
        return self.compiled.with_name(f"{self.compiled.stem}-8bit.onnx")

    @property
    def trial_record(self) -> Path:
        """Where the trial is kept."""
        return self.compiled.with_name(f"{self.compiled.stem}-trial.json")

    @property
    def trial(self) -> WeightTrial | None:
        """What 8-bit weights gave; None for a detector, and for an embedder that is not prepared."""
        return read_trial(self.trial_record)

    def runs_on(self, provider: str) -> Path:
        """The file that a provider runs: on the CPU the narrow one, if it was chosen."""
        trial = self.trial if provider == "cpu" else None
        return self.compiled if trial is None or not trial.chosen else self.narrow


def default_data_dir() -> Path:
    """`HEYAN_DATA_DIR`, else the user's data directory of the platform."""
    named = os.environ.get("HEYAN_DATA_DIR")
    return Path(named) if named else Path(platformdirs.user_data_dir("heyan", appauthor=False))


def model_directory() -> Path | None:
    """`HEYAN_MODEL_PATH`: a directory with the source files, for machines that reach no package index.

    Raises:
        ModelError: `model_source_unavailable` if it is set and no directory.
    """
    named = os.environ.get("HEYAN_MODEL_PATH")
    if not named:
        return None
    if not Path(named).is_dir():
        raise ModelError("model_source_unavailable", f"HEYAN_MODEL_PATH names {named!r}, which is no directory")
    return Path(named)


def inventory(data_dir: Path, pack: str | None = None) -> tuple[PreparedModel, ...]:
    """Every model of a pack (or of all that heyan describes), ready or not. Raises as `models.packs.find_pack`."""
    packs = shipped_packs() if pack is None else (find_pack(pack),)
    return tuple(model for found in packs for model in _pack_inventory(found, data_dir))


def prepare(
    data_dir: Path, pack: str = DEFAULT, *, directory: Path | None = None, progress: Progress = silent
) -> tuple[PreparedModel, ...]:
    """Fetch and compile what is not there yet. Idempotent; quick when nothing is to do.

    `directory`: an operator's directory of source files (see `model_directory`); no other source is asked then.

    Raises:
        ModelError: `pack_unknown`, `manifest_invalid`, `licence_not_accepted`, `model_source_unavailable`,
            `model_checksum_mismatch`, `model_invalid`.
    """
    found = find_pack(pack)
    require_accepted(data_dir, found)
    models = tuple(_pack_inventory(found, data_dir))
    for model in models:
        if not _intact(model.source, model.entry.sha256):
            folder = source_folder(found, model.entry, directory)
            fetch_file(_wanted(found, model.entry), model.source, directory=folder, progress=progress)
        if not _compiled_intact(model.compiled):
            progress(f"compile {model.name}", 0, None)
            _compile(model)
        if not _tried(model):
            progress(f"try {model.name} with 8-bit weights", 0, None)
            _try_weights(model)
    return models


def verify_files(data_dir: Path, pack: str | None = None) -> Iterator[tuple[PreparedModel, str | None]]:
    """Read every file and compare checksums: each model with what is wrong with it, or None."""
    for model in inventory(data_dir, pack):
        yield model, _fault(model)


def read_compiled(data_dir: Path, pack: str, name: str, *, provider: str) -> bytes:
    """The compiled bytes of one model of a pack as a provider runs it, checksum verified.

    Raises:
        ModelError: `model_missing` if the pack is not prepared, `model_checksum_mismatch` if a file is damaged.
    """
    model = next(model for model in inventory(data_dir, pack) if model.name == name)
    if not model.ready:
        raise ModelError(
            "model_missing",
            f"{model.entry.file} is not prepared in {data_dir}; run `{_remedy(pack)}`",
        )
    runs = model.runs_on(provider)
    if not _compiled_intact(runs):
        message = f"{runs} is damaged; run `{_remedy(pack)}` to compile it anew"
        raise ModelError("model_checksum_mismatch", message)
    return runs.read_bytes()


def read_shipped(name: str) -> bytes:
    """The bytes of a network that is part of this package, checksum verified.

    Raises:
        ModelError: `model_checksum_mismatch` if the installation is damaged.
    """
    entry = load_manifest().models[name]
    content = files("models").joinpath("weights", entry.file).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ModelError("model_checksum_mismatch", f"{entry.file} of this installation is damaged: install heyan anew")
    return content


def _pack_inventory(found: FoundPack, data_dir: Path) -> Iterator[PreparedModel]:
    folder = data_dir / "models"
    for name, entry in found.models.items():
        key = hashlib.sha256(f"{entry.arithmetic} {COMPILER_VERSION}".encode()).hexdigest()[:16]
        kept = entry.file if found.folder is None else f"{entry.sha256[:16]}-{entry.file}"
        yield PreparedModel(
            name=name,
            pack=found.name,
            entry=entry,
            source=folder / "sources" / kept,
            compiled=folder / "compiled" / f"{name}-{key}.onnx",
        )


def _wanted(found: FoundPack, entry: ModelEntry) -> Wanted:
    carrier = found.carriers[entry.carrier] if entry.carrier else None
    return Wanted(name=entry.file, sha256=entry.sha256, carrier=carrier, member=entry.member, urls=entry.urls)


def _compile(model: PreparedModel) -> None:
    try:
        source = model.source.read_bytes()
        content = compile_model(source, model.entry)
        check_agreement(source, content, model.entry)
    except Exception as error:  # a graph that is not what its entry says fails in as many ways as there are
        reason = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
        raise ModelError("model_invalid", f"{model.entry.file} cannot be compiled: {reason}") from error
    _write_checked(model.compiled, content)


def _tried(model: PreparedModel) -> bool:
    """Whether a trial of this machine is there, with the copy that it chose."""
    if model.entry.task != "embedding":
        return True
    trial = model.trial
    return trial is not None and trial.of_here and _compiled_intact(model.runs_on("cpu"))


def _try_weights(model: PreparedModel) -> None:
    """The narrow copy is written before the record that chooses it."""
    wide = model.compiled.read_bytes()
    narrow = narrow_weights(wide)
    trial = try_weights(wide, narrow)
    if narrow is not None and trial.chosen:
        _write_checked(model.narrow, narrow)
    write_atomically(model.trial_record, msgspec.json.format(msgspec.json.encode(trial)) + b"\n")


def _write_checked(compiled: Path, content: bytes) -> None:
    write_atomically(compiled, content)
    write_atomically(_checksum_file(compiled), hashlib.sha256(content).hexdigest().encode())


def _checksum_file(compiled: Path) -> Path:
    return compiled.with_suffix(".sha256")


def _compiled_intact(compiled: Path) -> bool:
    checksum = _checksum_file(compiled)
    return checksum.is_file() and _intact(compiled, checksum.read_text("ascii", errors="replace").strip())


def _intact(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _fault(model: PreparedModel) -> str | None:
    remedy = _remedy(model.pack)
    if not model.ready:
        return f"not prepared: run `{remedy}`"
    if not _intact(model.source, model.entry.sha256):
        return f"damaged source {model.source}: run `{remedy}`"
    damaged = next((path for path in (model.compiled, model.runs_on("cpu")) if not _compiled_intact(path)), None)
    return None if damaged is None else f"damaged cache {damaged}: run `{remedy}`"


def _remedy(pack: str) -> str:
    return "heyan models prepare" if pack == DEFAULT else f"heyan models prepare --pack {pack}"
