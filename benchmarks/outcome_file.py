"""Outcomes of trials on disk, a line each as they come: a range that takes hours can be stopped and gone on with.

Outcomes of other code, weights or lines are another range's: the first line says by a digest what they were made with.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from benchmarks.trials import Outcome, Trial
from verify.decision import Accepted, Decision, Reason, Referred, Rejected, Retry

DECIDES = (
    ("models", ""),
    ("liveness", ""),
    ("verify", "live.py"),
    ("verify", "decision.py"),
    ("verify", "policies"),
    ("benchmarks", "attacks"),
    ("benchmarks", "held_out"),
    ("benchmarks", "phone"),
    ("benchmarks", "trials.py"),
)
"""Packages, and what of them, that outcomes depend on."""
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

    def known(self) -> dict[str, Decision]:
        """Decisions by the key of their trial; a last line that was cut off is passed over.

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
            return {str(line["trial"]): _decision(line) for line in map(json.loads, whole)}
        except (ValueError, KeyError, TypeError) as error:
            message = f"{self.path} is no file of outcomes ({type(error).__name__}); name a new file"
            raise OutcomeFileError("outcomes_unreadable", message) from None

    def add(self, outcome: Outcome) -> None:
        """Append one outcome."""
        known = self.path.exists() and self.path.stat().st_size
        with self.path.open("a", encoding="utf-8") as file:
            if not known:
                file.write(_head() + "\n")
            file.write(json.dumps(_line(outcome)) + "\n")


def key_of(trial: Trial) -> str:
    """A trial's own key: everything that it depends on, photos by their names."""
    names = trial.photo.name, trial.other.name if trial.other is not None else ""
    settings = [(name, getattr(trial, name)) for name in Trial.__dataclass_fields__ if name not in ("photo", "other")]
    return sha256(repr((names, settings)).encode()).hexdigest()[:32]


def _head() -> str:
    return json.dumps({"made_with": made_with()})


def made_with() -> str:
    """Digest of the code, weights and lines that outcomes depend on."""
    digest = sha256()
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


def _line(outcome: Outcome) -> dict[str, str | None]:
    trial = {"trial": key_of(outcome.trial), "species": outcome.trial.species}
    match outcome.decision:
        case Accepted():
            return {**trial, "kind": "accepted"}
        case Retry(reason):
            return {**trial, "kind": "retry", "reason": reason}
        case Rejected(reason, signal):
            return {**trial, "kind": "rejected", "reason": reason, "signal": signal}
        case Referred(reason, signal):
            return {**trial, "kind": "referred", "reason": reason, "signal": signal}


def _decision(line: Mapping[str, str | None]) -> Decision:
    match line["kind"]:
        case "accepted":
            return Accepted()
        case "retry":
            return Retry(Reason(str(line["reason"])))
        case "rejected":
            return Rejected(Reason(str(line["reason"])), line["signal"])
        case "referred":
            return Referred(Reason(str(line["reason"])), line["signal"])
        case other:
            raise ValueError(other)
