"""Calibrations: which cosine keeps false matches below a target, for one embedding contract, measured on whom.

Made by `heyan-bench calibrate` alone. A threshold holds for a population; of all that were at hand the worst one binds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import msgspec

Level = Literal["default", "strict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """What one group of people says of a threshold. Shares are 0 to 1; None where there was nothing to compare."""

    population: str
    people: int
    person_pairs: int
    """Pairs of different people that were compared: what false matches are independent over, at best."""
    confused_person_pairs: int
    """Of them, those with a false match."""
    impostors: int
    """Comparisons of images of different people."""
    fmr: float | None
    fmr_upper_95: float | None
    """Bootstrap over people; without a false match Clopper-Pearson's bound on pairs of people."""
    genuine: int
    """Comparisons of images of one person."""
    fnmr: float | None
    """A failure to find a face counts as a false non-match."""
    fnmr_upper_95: float | None
    threshold_at_target: float | None
    """The lowest cosine that would keep this group's FMR at the target; None if its comparisons are too few to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One threshold."""

    target_fmr: float
    similarity: float
    """Least cosine, in thousandths; the highest that any group needs."""
    binds: str
    """The group that needs it."""
    supported: bool
    """Whether every group has comparisons enough to tell; a threshold of which that is not true is unproven."""
    groups: Mapping[str, GroupRates]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(Threshold):
    """Thresholds for the embeddings of one contract: the default one itself, and a stricter one."""

    contract: str
    made_on: str
    """ISO 8601 date."""
    models: Mapping[str, str]
    """SHA-256 of each weight file that took part, by its name."""
    strict: Threshold

    def at(self, level: Level) -> Threshold:
        """The threshold of a level."""
        return self if level == "default" else self.strict


class CalibrationError(ValueError):
    """`calibration_invalid`: a calibration cannot be read, or there is none of that name."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "calibration_invalid"


def load_calibration(name: str) -> Calibration:
    """Read a calibration that heyan ships. Raises CalibrationError."""
    source = files("verify").joinpath("calibrations", f"{name}.json")
    if not source.is_file():
        raise CalibrationError(f"no calibration is named {name!r}")
    return parse_calibration(source.read_bytes())


def parse_calibration(content: bytes) -> Calibration:
    """Read a calibration from JSON. Raises CalibrationError."""
    try:
        return msgspec.json.decode(content, type=Calibration, strict=True)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise CalibrationError(f"the calibration cannot be read: {error}") from error


def calibration_text(calibration: Calibration) -> bytes:
    """JSON as it is shipped; the same for equal calibrations."""
    return msgspec.json.format(msgspec.json.encode(calibration), indent=2) + b"\n"
