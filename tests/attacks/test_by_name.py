"""Each attack by name, on the service's own path with a simulated clock: a few attempts of each."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from benchmarks.attacks.catalogue import SPECIES
from benchmarks.phone.casting import living
from benchmarks.phone.head import Head
from benchmarks.phone.network import GOOD, SLOW, Network
from benchmarks.phone.offline import Offline
from benchmarks.phone.person import Actor, StillPerson, WrongPerson
from benchmarks.trials import Outcome, Trial, run_trials
from liveness.challenge import draw_challenge
from models.engine import Engine
from models.image import decode_image
from verify.decision import Accepted, Decision, Reason, Rejected, Retry, decide
from verify.live import LiveSession
from verify.policy import load_policy

POLICY = load_policy()


def decision(actor: Actor, *, reference: bytes, engine: Engine, rng: Random, network: Network = GOOD) -> Decision:
    session = LiveSession(
        engine=engine,
        challenge=draw_challenge(rng),
        reference=engine.reference(decode_image(reference)),
        policy=POLICY,
        started_at=0.0,
    )
    return decide(Offline(actor, session, rng, network=network).run(), POLICY)


def head(photo: bytes, engine: Engine) -> Head:
    frame = decode_image(photo)
    return Head.from_photo(frame.pixels, engine.refine(frame, engine.single_face(frame)).landmarks)


@pytest.mark.parametrize("network", [GOOD, SLOW], ids=["good", "slow"])
@pytest.mark.parametrize("person", ["person_a", "person_b"])
def test_the_right_person_passes_with_another_photo_as_reference(
    portraits: dict[str, bytes], engine: Engine, person: str, network: Network
) -> None:
    rng = Random(5)
    actor = living(portraits[f"{person}_2"], engine=engine, rng=rng)
    reference = portraits[f"{person}_1"]
    assert decision(actor, reference=reference, engine=engine, rng=rng, network=network) == Accepted()


@pytest.mark.parametrize("impostor", ["impostor_1", "impostor_2", "person_b_1"])
def test_another_person_is_rejected(portraits: dict[str, bytes], engine: Engine, impostor: str) -> None:
    rng = Random(6)
    actor = living(portraits[impostor], engine=engine, rng=rng)
    found = decision(actor, reference=portraits["person_a_1"], engine=engine, rng=rng)
    assert found == Rejected(Reason.MISMATCH)


STOPPED = tuple(species.name for species in SPECIES.values() if not species.open_hole)
SEEDS = range(2)


@pytest.fixture(scope="module")
def attempts(portraits: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Outcome]]:
    """A few attempts of every species that is to be stopped, played side by side in processes."""
    folder = tmp_path_factory.mktemp("photos")
    victim, attacker = folder / "victim_1.jpg", folder / "attacker_1.jpg"
    victim.write_bytes(portraits["person_b_1"])
    attacker.write_bytes(portraits["impostor_1"])
    trials = [Trial(photo=victim, other=attacker, species=name, seed=seed) for name in STOPPED for seed in SEEDS]
    found: dict[str, list[Outcome]] = {}
    for outcome in run_trials(trials):
        found.setdefault(outcome.trial.species, []).append(outcome)
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", STOPPED)
def test_an_attack_does_not_pass(attempts: Mapping[str, list[Outcome]], name: str) -> None:
    assert len(attempts[name]) == len(SEEDS)
    assert not any(isinstance(outcome.decision, Accepted) for outcome in attempts[name])


def test_a_photo_held_flat_is_rejected_as_flat(attempts: Mapping[str, list[Outcome]]) -> None:
    flat = Rejected(Reason.LIVENESS, signal="relief")
    assert [outcome.decision for outcome in attempts["printed_photo_flat"]] == [flat] * len(SEEDS)


def test_a_service_without_depth_would_accept_a_photo_held_flat(portraits: dict[str, bytes], tmp_path: Path) -> None:
    """An attack that fails anyway proves nothing."""
    photo = tmp_path / "victim_1.jpg"
    photo.write_bytes(portraits["person_b_1"])
    trials = [Trial(photo=photo, species="printed_photo_flat", seed=seed, unguarded=True) for seed in range(3)]
    assert any(isinstance(outcome.decision, Accepted) for outcome in run_trials(trials))


def test_wrong_answers_do_not_pass(portraits: dict[str, bytes], engine: Engine) -> None:
    rng = Random(8)
    photo = portraits["person_a_1"]
    found = decision(WrongPerson(head(photo, engine), rng), reference=photo, engine=engine, rng=rng)
    assert found == Retry(Reason.WRONG_MOTION)


def test_no_answer_does_not_pass(portraits: dict[str, bytes], engine: Engine) -> None:
    rng = Random(9)
    photo = portraits["person_a_1"]
    found = decision(StillPerson(head(photo, engine), rng), reference=photo, engine=engine, rng=rng)
    assert found == Retry(Reason.CUE_NOT_ANSWERED)
