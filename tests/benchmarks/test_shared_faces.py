"""Figures that hold on real faces. Images are embedded once, for all tests here: that is what takes its time."""

from dataclasses import asdict
from datetime import date
from pathlib import Path

import pytest

from benchmarks.calibration.comparing import compare_all
from benchmarks.calibration.derive import derive
from benchmarks.calibration.labelled import LabelledSet, Share, read_sets
from benchmarks.calibration.rates import rates_at
from benchmarks.commands.calibrate import SETS
from benchmarks.error_rates import accuracy_by_fold, mean_with_interval, operating_point
from benchmarks.pairs_file import read_pairs
from benchmarks.recognition import Embeddings, compare_pairs, embed_images
from models.engine import Engine
from verify.calibration import load_calibration
from verify.policy import load_policy

pytestmark = pytest.mark.timeout(1200)

SHARES: tuple[Share, ...] = ("calibrating", "held out")


def embedded(folder: Path, engine: Engine) -> Embeddings:
    files = sorted(path.name for path in folder.glob("*.jpg"))
    return embed_images(folder, files, engine=engine, advance=lambda: None)


@pytest.fixture(scope="module")
def lfw(shared_dir: Path, engine: Engine) -> Embeddings:
    return embedded(shared_dir / "data" / "lfw" / "images", engine)


@pytest.fixture(scope="module")
def nuaa(shared_dir: Path, engine: Engine) -> Embeddings:
    return embedded(shared_dir / "data" / "nuaa" / "bona_fide", engine)


@pytest.fixture(scope="module")
def sets(shared_dir: Path) -> dict[Share, dict[str, LabelledSet]]:
    return {
        share: {each.name: each for each in read_sets(SETS, data=shared_dir / "data", share=share)} for share in SHARES
    }


def test_press_photos_hold_their_figures(shared_dir: Path, lfw: Embeddings) -> None:
    comparisons = compare_pairs(read_pairs(shared_dir / "data" / "lfw" / "pairs.csv"), lfw)
    point = operating_point(comparisons, 0.001)
    assert mean_with_interval(accuracy_by_fold(comparisons))[0] >= 0.992
    assert point is not None
    assert point.fnmr <= 0.0135
    assert None not in lfw.values()


def test_the_shipped_calibration_is_derived_again(
    sets: dict[Share, dict[str, LabelledSet]], lfw: Embeddings, nuaa: Embeddings, engine: Engine
) -> None:
    """Byte for byte on processors of one kind, but for the date; on others a comparison may fall to the other side."""
    shipped = load_calibration(load_policy().calibration)
    own = sets["calibrating"]
    found = derive(
        {"lfw": compare_all(own["lfw"].images, lfw), "nuaa": compare_all(own["nuaa"].images, nuaa)},
        {name: each.population for name, each in own.items()},
        engine=engine,
        target_fmr=shipped.target_fmr,
        strict_fmr=shipped.strict.target_fmr,
        made_on=date.fromisoformat(shipped.made_on),
    )
    assert (found.contract, found.models) == (shipped.contract, shipped.models)
    for one, other in ((found, shipped), (found.strict, shipped.strict)):
        assert (one.similarity, one.binds, one.supported) == (other.similarity, other.binds, other.supported)
        assert set(one.groups) == set(other.groups)
        for name, expected in other.groups.items():
            for figure, wanted in asdict(expected).items():
                counted = isinstance(wanted, int | float)
                measured = getattr(one.groups[name], figure)
                assert measured == (pytest.approx(wanted, rel=0.02) if counted else wanted), (name, figure)


@pytest.mark.parametrize(("shares", "people"), [(("held out",), 3), (SHARES, 7)], ids=["held out", "all"])
def test_people_across_days_are_told_apart_and_known_again(
    sets: dict[Share, dict[str, LabelledSet]], nuaa: Embeddings, shares: tuple[Share, ...], people: int
) -> None:
    images = [image for share in shares for image in sets[share]["nuaa"].images]
    found = rates_at(compare_all(images, nuaa), load_policy().similarity, population="", target_fmr=0.001)
    assert found.people == people
    assert found.fmr is not None
    assert found.fnmr is not None
    assert found.fmr <= 0.001
    assert found.fnmr <= 0.0115
