"""What a live session leaves for others to be compared with. How it is judged: `tests/attacks`, `tests/liveness`."""

from random import Random

import pytest
from registry_office import photo

from benchmarks.phone.casting import frontal, living
from benchmarks.phone.offline import Offline
from liveness.challenge import draw_challenge
from models.embedding import cosine
from models.engine import Engine
from models.fingerprint import BYTES
from models.image import decode_image
from verify.fraud import DIGEST_BYTES, NO_TRACES
from verify.live import LiveSession
from verify.policy import load_policy

POLICY = load_policy()


class BriefSession(LiveSession):
    """Over as soon as a few frames counted."""

    @property
    def finished(self) -> bool:
        return len(self._compared) > 1


def session_of(photo: bytes, engine: Engine, rng: Random) -> LiveSession:
    return BriefSession(
        engine=engine,
        challenge=draw_challenge(rng),
        reference=engine.reference(decode_image(photo)),
        policy=POLICY,
        started_at=0.0,
    )


def test_a_session_leaves_a_face_and_frames(portraits: dict[str, bytes], engine: Engine) -> None:
    rng, photo = Random(3), portraits["person_a_1"]
    session = session_of(photo, engine, rng)
    assert session.traces() == NO_TRACES
    evidence = Offline(living(portraits["person_a_2"], engine=engine, rng=rng), session, rng).run()
    traces = session.traces()
    assert traces.face is not None
    assert abs(cosine(traces.face, session.reference) - evidence.similarity) < 1e-6
    frames = len(traces.digests) // DIGEST_BYTES
    assert len(traces.fingerprints) == frames * BYTES
    assert 1 < frames <= evidence.liveness.frames
    assert traces.address is None


@pytest.mark.parametrize("seed", range(6))
def test_a_person_whose_photo_looks_aside_sits_straight_before_the_camera(
    portraits: dict[str, bytes], engine: Engine, seed: int
) -> None:
    rng = Random(seed)
    session = session_of(portraits["person_a_1"], engine, rng)
    photo = portraits["person_a_2"]
    assert not frontal(photo, engine=engine)
    Offline(living(photo, engine=engine, rng=rng), session, rng).run()
    before_the_first_rest = [seen.face for seen in session._observations if seen.nonce == "" and seen.face is not None]
    assert len(before_the_first_rest) < 16
    assert all(face.straight for face in before_the_first_rest)


def test_frames_without_a_face_leave_nothing(engine: Engine, portraits: dict[str, bytes]) -> None:
    session = session_of(portraits["person_a_1"], engine, Random(1))
    session.receive(jpeg=photo(), nonce="", seq=0, now=0.1)
    assert session.traces() == NO_TRACES
