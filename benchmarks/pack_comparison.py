"""Packs side by side on one protocol: how often they err, how long they take, how large they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibration.comparing import PeopleScores, listed_scores, with_all_impostors
from benchmarks.calibration.rates import rates_at, threshold_at
from benchmarks.error_rates import accuracy_by_fold, mean_with_interval
from benchmarks.pairs_file import Pair, people_of
from benchmarks.recognition import compare_pairs, embed_images
from benchmarks.timing import Timed, Work, interleaved
from models.embedding import cosine
from models.engine import Engine
from models.image import decode_image
from models.packs import FoundPack, find_pack
from models.prepare import inventory
from verify.calibration import GroupRates

TARGET_FMR = 0.001

Advance = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """How a pack did on a protocol."""

    accuracy: float
    """Mean over folds, with the interval of 95 % of that mean."""
    accuracy_low: float
    accuracy_high: float
    threshold: float | None
    """The lowest at which FMR is at most `TARGET_FMR`, over all images of different people; None if they are too few to
    tell."""
    rates: GroupRates | None
    """At that threshold, with the listed genuine pairs."""
    images: int
    not_acquired: int
    """Images in which no face was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One pack."""

    found: FoundPack
    contract: str
    recognised: Recognised
    timed: Timed
    """From two photos' bytes to their similarity."""
    megabytes: float
    """Of its weight files as they come."""


def compare_packs(
    engines: Mapping[str, Engine],
    *,
    images: Path,
    pairs: tuple[Pair, ...],
    photos: tuple[bytes, bytes],
    data_dir: Path,
    rounds: int,
    advance: Advance,
) -> dict[str, Compared]:
    """Every pack by its title. `advance` is called after each image of each pack, and after each round.

    Raises:
        OSError, models.errors.ImageError: an image is not there, or no picture. FaceError: a photo shows no face.
    """
    recognised = {title: recognise(engine, images, pairs, advance=advance) for title, engine in engines.items()}
    works = {title: _comparison(engine, photos) for title, engine in engines.items()}
    timed = interleaved(works, rounds=rounds, advance=advance)
    return {
        title: Compared(
            found=find_pack(engine.pack),
            contract=engine.contract,
            recognised=recognised[title],
            timed=timed[title],
            megabytes=sum(model.source.stat().st_size for model in inventory(data_dir, engine.pack)) / 1e6,
        )
        for title, engine in engines.items()
    }


def images_of(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Names of the images of a protocol, each once."""
    return tuple(sorted({image for pair in pairs for image in (pair.image_a, pair.image_b)}))


def recognise(engine: Engine, folder: Path, pairs: tuple[Pair, ...], *, advance: Advance) -> Recognised:
    """The figures of one pack on a protocol. Raises as `benchmarks.recognition.embed_images`."""
    embeddings = embed_images(folder, images_of(pairs), engine=engine, advance=advance)
    comparisons = compare_pairs(pairs, embeddings)
    everybody = with_all_impostors(listed_scores(comparisons), people_of(pairs), embeddings)
    mean, _, low, high = mean_with_interval(accuracy_by_fold(comparisons))
    threshold = threshold_at(everybody, TARGET_FMR)
    return Recognised(
        accuracy=mean,
        accuracy_low=low,
        accuracy_high=high,
        threshold=threshold,
        rates=None if threshold is None else _rates(everybody, threshold),
        images=len(embeddings),
        not_acquired=sum(each is None for each in embeddings.values()),
    )


def _rates(everybody: PeopleScores, threshold: float) -> GroupRates:
    return rates_at(everybody, threshold, population="all images of the protocol", target_fmr=TARGET_FMR)


def _comparison(engine: Engine, photos: tuple[bytes, bytes]) -> Work:
    def compare() -> float:
        reference, probe = (decode_image(photo) for photo in photos)
        return cosine(engine.reference(reference), engine.probe(probe))

    return compare
