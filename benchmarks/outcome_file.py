"""Outcomes of trials on disk, a line each as they come: a range that takes hours can be stopped and gone on with.

Kept is what a session measured; the decision is made on it when it is read. So a range need not be run again when only
what decides has changed: similarity, limits. Outcomes of other code, weights or liveness lines are another range's: the
first line says by a digest what they were made with.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from benchmarks.trials import Outcome, Trial
from verify.evidence import Evidence, read_evidence
from verify.policy import load_policy

DECIDES = (
    ("models", ""),
    ("liveness", ""),
    ("verify", "live.py"),
    ("benchmarks", "attacks"),
    ("benchmarks", "held_out"),
    ("benchmarks", "phone"),
    ("benchmarks", "trials.py"),
)
"""Packages, and what of them, that evidence depends on, beside the policy's liveness lines."""
SUFFIXES = (".py", ".toml", ".onnx", ".json")


class OutcomeFileError(ValueError):
    """A file that cannot be gone on with. `code`: `outcomes_unreadable`, `outcomes_of_another_range`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class OutcomeFile:
    """A file of outcomes that may exist already."""

    path: Path

    def known(self) -> dict[str, Evidence]:
        """Evidence by the key of its trial; a last line that was cut off is passed over.

        Raises:
            OutcomeFileError: `outcomes_unreadable`, `outcomes_of_another_range`.
        """
        if not self.path.exists():
            return {}
        first, *others = self.path.read_text("utf-8").split("\n")
        if first != _head():
            raise OutcomeFileError(
                "outcomes_of_another_range",
                f"{self.path} holds outcomes of other code, weights or lines; name a new file",
            )
        whole = others[:-1]
        try:
            return {str(line["trial"]): read_evidence(line["evidence"]) for line in map(json.loads, whole)}
        except (ValueError, KeyError, TypeError) as error:
            message = f"{self.path} is no file of outcomes ({type(error).__name__}); name a new file"
            raise OutcomeFileError("outcomes_unreadable", message) from None

    def add(self, outcome: Outcome) -> None:
        """Append one outcome."""
        known = self.path.exists() and self.path.stat().st_size
        with self.path.open("ab") as file:
            if not known:
                file.write(_head().encode() + b"\n")
            file.write(_line(outcome) + b"\n")


def key_of(trial: Trial) -> str:
    """A trial's own key: everything that it depends on, photos by their names."""
    names = trial.photo.name, trial.other.name if trial.other is not None else ""
    settings = [(name, getattr(trial, name)) for name in Trial.__dataclass_fields__ if name not in ("photo", "other")]
    return sha256(repr((names, settings)).encode()).hexdigest()[:32]


def _head() -> str:
    return json.dumps({"made_with": made_with()})


def made_with() -> str:
    """Digest of the code, weights and liveness lines that evidence depends on."""
    digest = sha256(repr(load_policy().liveness).encode())
    for package, part in DECIDES:
        root = files(package)
        for name, content in sorted(_contents(root / part if part else root, part)):
            digest.update(f"{package}/{name}:{len(content)}:".encode())
            digest.update(content)
    return digest.hexdigest()


def _contents(place: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        for inner in place.iterdir():
            yield from _contents(inner, f"{name}/{inner.name}")
    elif place.name.endswith(SUFFIXES):
        yield name, place.read_bytes()


def _line(outcome: Outcome) -> bytes:
    trial = outcome.trial
    return msgspec.json.encode({"trial": key_of(trial), "species": trial.species, "evidence": outcome.evidence})
