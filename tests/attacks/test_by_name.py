"""Each attack by name, on the service's own path with a simulated clock: a few attempts of each."""

from random import Random

import pytest

from benchmarks.attacks.catalogue import SPECIES, Crime, Likeness
from benchmarks.phone.casting import living
from benchmarks.phone.head import Head
from benchmarks.phone.network import GOOD, SLOW, Network
from benchmarks.phone.offline import Offline
from benchmarks.phone.person import Actor, StillPerson, WrongPerson
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


def staged(name: str, portraits: dict[str, bytes], engine: Engine, rng: Random) -> Actor:
    victim, attacker = (Likeness.of(portraits[photo], engine) for photo in ("person_b_1", "impostor_1"))
    return SPECIES[name].stage(Crime(victim=victim, attacker=attacker, rng=rng))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", [species.name for species in SPECIES.values() if not species.open_hole])
def test_an_attack_does_not_pass(portraits: dict[str, bytes], engine: Engine, name: str, seed: int) -> None:
    rng = Random(seed)
    actor = staged(name, portraits, engine, rng)
    found = decision(actor, reference=portraits["person_b_1"], engine=engine, rng=rng)
    assert not isinstance(found, Accepted)


@pytest.mark.parametrize("seed", range(3))
def test_a_photo_held_flat_is_rejected_as_flat(portraits: dict[str, bytes], engine: Engine, seed: int) -> None:
    rng = Random(seed)
    actor = staged("printed_photo_flat", portraits, engine, rng)
    found = decision(actor, reference=portraits["person_b_1"], engine=engine, rng=rng)
    assert found == Rejected(Reason.LIVENESS, signal="relief")


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
