"""From labelled sets to thresholds: the group that needs the highest one binds."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from benchmarks.calibration.comparing import PeopleScores, compare_all
from benchmarks.calibration.labelled import LabelledSet
from benchmarks.calibration.rates import rates_at, threshold_at
from benchmarks.recognition import embed_images
from models.engine import ATTACK_DETECTOR, Engine
from verify.calibration import Calibration, Threshold


class CalibratingError(Exception):
    """`comparisons_too_few`: no set has comparisons of different people enough to tell a target."""

    def __init__(self, target_fmr: float) -> None:
        message = (
            f"an FMR of {target_fmr:g} needs {1 / target_fmr:.0f} comparisons of different people in one set, and no "
            "set has them: give larger sets, or set a higher target"
        )
        super().__init__(message)
        self.code = "comparisons_too_few"


def compare_sets(
    sets: tuple[LabelledSet, ...], *, engine: Engine, advance: Callable[[], object]
) -> Mapping[str, PeopleScores]:
    """All comparisons of each set, by its name; `advance` is called after each image.

    Raises:
        OSError, models.errors.ImageError: an image is not there, or no picture.
    """
    return {each.name: _compared(each, engine, advance) for each in sets}


def derive(
    compared: Mapping[str, PeopleScores],
    populations: Mapping[str, str],
    *,
    engine: Engine,
    target_fmr: float,
    strict_fmr: float,
    made_on: date,
) -> Calibration:
    """Thresholds at two targets for the engine's embeddings. Raises CalibratingError if no set can tell one of them."""
    default = _threshold(compared, populations, target_fmr)
    strict = _threshold(compared, populations, strict_fmr, at_least=default.similarity)
    return Calibration(
        target_fmr=default.target_fmr,
        similarity=default.similarity,
        binds=default.binds,
        supported=default.supported,
        groups=default.groups,
        strict=strict,
        contract=engine.contract,
        made_on=made_on.isoformat(),
        models={name: entry.sha256 for name, entry in engine.entries.items() if name != ATTACK_DETECTOR},
    )


def _compared(labelled: LabelledSet, engine: Engine, advance: Callable[[], object]) -> PeopleScores:
    files = [image.file for image in labelled.images]
    return compare_all(labelled.images, embed_images(Path(labelled.folder), files, engine=engine, advance=advance))


def _threshold(
    compared: Mapping[str, PeopleScores], populations: Mapping[str, str], target_fmr: float, *, at_least: float = -1.0
) -> Threshold:
    """A stricter target never gets a lower threshold, also where the data cannot tell it."""
    wanted = {name: threshold_at(pairs, target_fmr) for name, pairs in compared.items()}
    known = {name: value for name, value in wanted.items() if value is not None}
    if not known:
        raise CalibratingError(target_fmr)
    binds = max(known, key=lambda name: known[name])
    similarity = max(at_least, known[binds])
    groups = {
        name: rates_at(pairs, similarity, population=populations[name], target_fmr=target_fmr)
        for name, pairs in compared.items()
    }
    return Threshold(
        target_fmr=target_fmr,
        similarity=similarity,
        binds=binds,
        supported=len(known) == len(compared),
        groups=groups,
    )
