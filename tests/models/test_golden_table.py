"""What the models make of seven photos is what it was; `make golden` writes it anew, and git shows what changed."""

import os
from pathlib import Path

import pytest
from astronaut import load_astronaut
from golden_table import TOLERANCES, Table, differences, make_table, read_table, tolerance_of, write_table

from models.engine import Engine
from models.face_quality.assessment import MEASURES

KEPT = Path(__file__).parent / "golden" / "measures.csv"


@pytest.fixture(scope="module")
def found(portraits: dict[str, bytes], data_dir: Path, engine: Engine) -> Table:
    return make_table({**portraits, "astronaut": load_astronaut(data_dir)}, engine)


def test_the_golden_table_holds(found: Table) -> None:
    if os.environ.get("HEYAN_WRITE_GOLDEN"):
        KEPT.write_text(write_table(found), "utf-8")
    told = differences(read_table(KEPT.read_text("utf-8")), found)
    assert not told, "\n".join([*told, "If that is wanted: make golden, and say in the commit why."])


def test_it_covers_every_photo_component_and_pair(found: Table) -> None:
    images = {image for image, _ in found}
    assert len(images) == 7
    for image in images:
        measures = {measure for each, measure in found if each == image}
        assert measures >= {f"raw {name}" for name in MEASURES} | {f"cosine with {other}" for other in images}
        assert found[image, "faces"] == 1
        assert found[image, f"cosine with {image}"] == pytest.approx(0.99, abs=0.03)


def test_every_measure_has_a_tolerance_and_every_tolerance_a_measure(found: Table) -> None:
    used = {tolerance_of(measure) for _, measure in found}
    assert used == set(TOLERANCES.values())


def test_a_change_is_told_by_name(found: Table) -> None:
    kept = dict(found)
    kept["astronaut", "detector score"] = (found["astronaut", "detector score"] or 0) + 0.01
    kept["person_a_1", "raw sharpness"] = None
    del kept["impostor_1", "pad logit"]
    told = differences(kept, found)
    assert [line.partition(":")[0] for line in told] == [
        "astronaut, detector score",
        "impostor_1, pad logit",
        "person_a_1, raw sharpness",
    ]


def test_what_is_written_is_read_again(found: Table) -> None:
    assert read_table(write_table(found)) == found
