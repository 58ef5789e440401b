"""Error rates by group of people: each value of each attribute, compared within itself (ISO/IEC 19795-10)."""

from collections.abc import Mapping

from benchmarks.calibration.comparing import compare_all
from benchmarks.calibration.labelled import LabelledImage, LabelledSet
from benchmarks.calibration.rates import rates_at
from benchmarks.recognition import Embeddings
from verify.calibration import GroupRates

EVERYBODY = "everybody"


def rates_by_group(
    labelled: LabelledSet, embeddings: Embeddings, *, threshold: float, target_fmr: float
) -> Mapping[str, Mapping[str, GroupRates]]:
    """Rates by attribute and value. Impostors are compared within their group: across groups, look-alikes are rarer,
    and would flatter it. `everybody` has the one value `all`."""
    values = {
        attribute: sorted({image.groups[attribute] for image in labelled.images if attribute in image.groups})
        for attribute in sorted({attribute for image in labelled.images for attribute in image.groups})
    }

    def rated(images: list[LabelledImage], population: str) -> GroupRates:
        compared = compare_all(images, embeddings)
        return rates_at(compared, threshold, population=population, target_fmr=target_fmr)

    found = {
        attribute: {
            value: rated([image for image in labelled.images if image.groups.get(attribute) == value], value)
            for value in own
        }
        for attribute, own in values.items()
    }
    return {EVERYBODY: {"all": rated(list(labelled.images), labelled.population)}, **found}


def disparity(rates: Mapping[str, GroupRates]) -> tuple[float | None, float | None]:
    """Largest over smallest FMR, and FNMR, of an attribute's groups; None where one has no error or no comparison, so
    that the ratio means nothing."""
    return _ratio([each.fmr for each in rates.values()]), _ratio([each.fnmr for each in rates.values()])


def _ratio(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share]
    return max(known) / min(known) if len(known) == len(shares) > 1 else None
