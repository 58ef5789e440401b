"""Each attack by name, on the service's own path with a simulated clock: a few attempts of each."""

from collections.abc import Mapping
from random import Random

import numpy as np
import pytest
from rendered_points import EYES_NOSE_MOUTH, seen, sheet_points

from benchmarks.attacks.catalogue import SPECIES, Crime, Likeness
from benchmarks.attacks.naive import planar_motion
from benchmarks.held_out.camera import OtherCamera
from benchmarks.phone.casting import living
from benchmarks.phone.head import Head
from benchmarks.phone.network import GOOD, SLOW, Network
from benchmarks.phone.offline import Offline
from benchmarks.phone.person import Actor, StillPerson, WrongPerson
from benchmarks.trials import Outcome, Trial, run_trials
from liveness.challenge import draw_challenge
from liveness.motion import measure_motion
from models.embedding import cosine
from models.engine import Engine
from models.image import Frame, decode_image
from verify.decision import Accepted, Decision, Reason, Rejected, Retry, decide
from verify.live import LiveSession
from verify.policy import load_policy

POLICY = load_policy()

pytestmark = pytest.mark.timeout(900)
"""All attempts are played at once, by the first test that asks for them."""


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


STOPPED = tuple(species.name for species in SPECIES.values() if not species.open_hole and not species.held_out)
HELD_OUT = tuple(species.name for species in SPECIES.values() if species.held_out)
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


@pytest.mark.parametrize("name", STOPPED)
def test_an_attack_does_not_pass(attempts: Mapping[str, list[Outcome]], name: str) -> None:
    assert len(attempts[name]) == len(SEEDS)
    assert not any(isinstance(outcome.decision, Accepted) for outcome in attempts[name])


@pytest.mark.parametrize("name", HELD_OUT)
def test_an_attack_that_is_held_out_shows_the_victim_and_moves(
    portraits: dict[str, bytes], engine: Engine, name: str
) -> None:
    """Whether it passes is for the range alone to say: whoever looked at it here would set lines on it."""
    victim, attacker = (Likeness.of(portraits[photo], engine) for photo in ("person_b_1", "impostor_1"))
    actor = SPECIES[name].stage(Crime(victim=victim, attacker=attacker, rng=Random(4)))
    before = engine.single_face(Frame(actor.scene(0.5)))
    actor.told("ask", "turn_left", 0.6)
    after = engine.detect(Frame(actor.scene(2.5)))[0]
    shown = engine.embed(Frame(actor.scene(0.5)), before)
    assert cosine(shown, engine.embed(victim.frame, victim.face)) > POLICY.similarity
    assert np.abs(after.landmarks - before.landmarks).max() > 0.1 * before.eye_distance


def test_the_camera_that_is_held_out_shows_the_same_face(portraits: dict[str, bytes], engine: Engine) -> None:
    rng = Random(4)
    person = living(portraits["person_a_1"], engine=engine, rng=rng)
    camera = OtherCamera().open(np.random.default_rng(3))
    frames = [decode_image(camera.shoot(person.scene(at), at)) for at in (0.0, 0.125, 0.25)]
    reference = engine.reference(decode_image(portraits["person_a_1"]))
    assert cosine(engine.embed(frames[-1], engine.single_face(frames[-1])), reference) > POLICY.similarity
    assert 60 < frames[-1].pixels.mean() < 200


def test_a_photo_held_flat_is_rejected_as_flat(attempts: Mapping[str, list[Outcome]]) -> None:
    flat = Rejected(Reason.LIVENESS, signal="relief")
    assert [outcome.decision for outcome in attempts["printed_photo_flat"]] == [flat] * len(SEEDS)


@pytest.mark.parametrize(("yaw", "pitch"), [(25.0, 0.0), (-25.0, 0.0), (0.0, 20.0), (0.0, -20.0)])
def test_a_service_without_depth_takes_a_turned_sheet_for_a_turned_head(yaw: float, pitch: float) -> None:
    """What the range switches geometry off by: an attack that fails anyway proves nothing."""
    before, after = seen(sheet_points(), noise=0.2), seen(sheet_points(), yaw=yaw, pitch=pitch, noise=0.2, seed=2)
    landmarks = seen(EYES_NOSE_MOUTH)
    naive, real = planar_motion(before, after, landmarks), measure_motion(before, after, landmarks)
    assert naive is not None
    assert real is not None
    assert (naive.yaw, naive.pitch) == pytest.approx((yaw, pitch), abs=9.0)
    assert max(abs(real.yaw), abs(real.pitch)) < 6.0


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
