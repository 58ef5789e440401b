"""A session that was played once on the simulated clock, to be fed again to fresh live sessions, frame by frame."""

from dataclasses import dataclass, field
from random import Random

from benchmarks.phone.casting import living
from benchmarks.phone.offline import Arrival, Event, Offline
from liveness.challenge import Challenge, draw_challenge
from models.embedding import Embedding
from models.engine import Engine
from models.image import decode_image
from verify.live import LiveSession
from verify.policy import load_policy


@dataclass(frozen=True, slots=True)
class Replay:
    """Frames with their times of arrival (seconds), and what a live session of theirs needs."""

    challenge: Challenge
    reference: Embedding
    frames: tuple[tuple[float, Arrival], ...]

    def feed(self, engine: Engine) -> LiveSession:
        """Run all frames through a new session of this engine."""
        return self.feed_to(self.session(engine))

    def feed_to(self, session: LiveSession) -> LiveSession:
        """Run all frames through a session that waits for them."""
        for at, frame in self.frames:
            session.receive(jpeg=frame.jpeg, nonce=frame.nonce, seq=frame.seq, now=at)
        return session

    def session(self, engine: Engine, kind: type[LiveSession] = LiveSession) -> LiveSession:
        """A new session that waits for the frames."""
        return kind(
            engine=engine,
            challenge=self.challenge,
            reference=self.reference,
            policy=load_policy(),
            started_at=0.0,
        )


@dataclass(slots=True)
class _Recorder(Offline):
    """Keeps every frame that arrives."""

    arrived: list[tuple[float, Arrival]] = field(default_factory=list)

    def _handle(self, at: float, event: Event) -> None:
        if isinstance(event, Arrival):
            self.arrived.append((at, event))
        Offline._handle(self, at, event)


def record_session(photo: bytes, *, engine: Engine, seed: int) -> Replay:
    """Play one session of a person with the face of a photo, and keep its frames."""
    rng = Random(seed)
    challenge = draw_challenge(rng)
    reference = engine.reference(decode_image(photo))
    session = LiveSession(engine=engine, challenge=challenge, reference=reference, policy=load_policy(), started_at=0.0)
    recorder = _Recorder(living(photo, engine=engine, rng=rng), session, rng)
    recorder.run()
    return Replay(challenge, reference, tuple(recorder.arrived))
