"""Rendered people and photos held before the camera, each with a face that no other trial shows."""

from pathlib import Path
from random import Random

import pytest

from benchmarks.phone.network import GOOD, SLOW, Network
from benchmarks.trials import Outcome, Trial, run_trials, usable_photos
from models.engine import Engine
from verify.decision import Accepted, Rejected

EACH = 50

pytestmark = pytest.mark.timeout(1200)
"""Fifty sessions a test: minutes, on a slow machine."""


@pytest.fixture(scope="module")
def faces(shared_dir: Path, engine: Engine) -> tuple[Path, ...]:
    """Frontal photos of different people (file names are `PERSON_0001.jpg`)."""
    people: dict[str, Path] = {}
    for path in sorted((shared_dir / "data" / "lfw" / "images").glob("*.jpg")):
        people.setdefault(path.stem.rsplit("_", 1)[0], path)
    shuffled = Random(2019).sample(sorted(people.values()), len(people))
    return usable_photos(shuffled, engine=engine, count=3 * EACH)


def outcomes(photos: tuple[Path, ...], species: str, network: Network) -> list[Outcome]:
    assert len(set(photos)) == EACH
    trials = [Trial(photo=photo, species=species, seed=seed, network=network) for seed, photo in enumerate(photos)]
    return list(run_trials(trials))


def explained(found: list[Outcome]) -> str:
    return "\n".join(f"{outcome.trial.photo.name}: {outcome.decision}" for outcome in found)


def test_a_flat_photo_is_rejected_every_time(faces: tuple[Path, ...]) -> None:
    found = outcomes(faces[:EACH], "printed_photo_flat", GOOD)
    assert all(isinstance(outcome.decision, Rejected) for outcome in found), explained(found)


@pytest.mark.parametrize(("start", "network"), [(EACH, GOOD), (2 * EACH, SLOW)], ids=["good", "slow"])
def test_a_rendered_head_passes_on_good_and_bad_networks(faces: tuple[Path, ...], start: int, network: Network) -> None:
    found = outcomes(faces[start : start + EACH], "bona_fide", network)
    assert sum(isinstance(outcome.decision, Accepted) for outcome in found) >= EACH - 2, explained(found)
