"""What the pipeline costs beside the networks in it: each piece of work whole, bare, and by stages.

Bare is what nobody can do without: decoding the same bytes, and running the same networks on the very inputs that the
whole work gave them. One thread. The bare decoding is of whole pictures, as they are sent: that the pipeline reads a
large photo at a reduced scale (`models.portrait`) is a saving of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import thread_time

import simplejpeg

from benchmarks.phone.replay import Replay, record_session
from benchmarks.recorded import Run, recording, run_bare
from benchmarks.timing import Timed, Work, interleaved, median_ratio
from liveness.motion import measure_motion
from liveness.observation import Observation
from liveness.relief import measure_relief
from models.detection import Face
from models.embedding import cosine
from models.engine import Engine
from models.image import Frame, Luma, decode_image
from models.portrait import FIRST_LOOK
from models.pose import pose_from_landmarks
from models.tracking import follow_tracks, seed_tracks
from verify.live import LiveSession


@dataclass(frozen=True, slots=True)
class Measured:
    """One piece of work: `whole`, `bare`, and its stages, all from the same rounds."""

    timed: Mapping[str, Timed]

    @property
    def ratio(self) -> float:
        """Whole ÷ bare, median over rounds."""
        return median_ratio(self.timed["whole"], self.timed["bare"])

    @property
    def stages_ms(self) -> dict[str, float]:
        """Medians in milliseconds, by name."""
        return {name: round(timed.median, 4) for name, timed in self.timed.items()}


def measure_comparison(
    photos: tuple[bytes, bytes], *, engine: Engine, rounds: int, advance: Callable[[], object]
) -> Measured:
    """1:1 of two photos, from bytes to cosine."""
    recorded = recording(engine)
    _compare(photos, recorded.engine)
    one = decode_image(photos[0], least=FIRST_LOOK)
    face = engine.single_face(one)
    embedding = engine.embed(one, face)
    works: dict[str, Work] = {
        "whole": lambda: _compare(photos, engine),
        "bare": lambda: _run_bare(photos, recorded.runs),
        "bare decode, both": lambda: _decode_bare(photos),
        "bare networks, both": lambda: run_bare(recorded.runs),
        "decode, one": lambda: decode_image(photos[0], least=FIRST_LOOK),
        "detect, one": lambda: engine.single_face(one),
        "align and embed, one": lambda: engine.embed(one, face),
        "cosine": lambda: cosine(embedding, embedding),
    }
    return Measured(interleaved(works, rounds=rounds, advance=advance))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCost:
    """Processor seconds of a live verification against a stored reference, from the first frame to the evidence.

    What is done once a session (faces compared, the attack detector, weighing the evidence) is counted once, what is
    done for every frame as many times as there are frames.
    """

    once_s: float
    frame_s: float
    played_frames: int
    """Frames of the session that was measured."""

    def of(self, frames: int) -> float:
        """Of a session of so many frames."""
        return self.once_s + frames * self.frame_s


def measure_live_frame(
    photo: bytes, *, engine: Engine, rounds: int, advance: Callable[[], object]
) -> tuple[Measured, LiveCost]:
    """One frame of a live session in the mean over a whole session, as the service does it; stages of one frame."""
    replay = record_session(photo, engine=engine, seed=1)
    recorded = recording(engine)
    replay.feed(recorded.engine)
    jpegs = [frame.jpeg for _, frame in replay.frames]
    works: dict[str, Work] = {
        "whole": lambda: replay.feed(engine),
        "bare": lambda: _run_bare(jpegs, recorded.runs),
    }
    sessions = interleaved(works, rounds=rounds, advance=advance)
    frames = len(replay.frames)
    means = {name: Timed(tuple(each / frames for each in timed.milliseconds)) for name, timed in sessions.items()}
    signals = Timed(tuple(_signals_ms(replay, engine) / frames for _ in range(rounds)))
    cost = _live_cost(replay, recorded.runs, engine, rounds=rounds)
    return Measured({**means, "liveness signals": signals, **_frame_stages(replay, engine, rounds=20 * rounds)}), cost


def _live_cost(replay: Replay, runs: Sequence[Run], engine: Engine, *, rounds: int) -> LiveCost:
    """Medians over rounds, on this thread."""
    once = [run for run in runs if run[0] is not engine.detector.network]
    wholes, parts = list[float](), list[float]()
    for _ in range(rounds):
        session = replay.session(engine)
        started = thread_time()
        replay.feed_to(session)
        fed = thread_time()
        session.evidence()
        weighed = thread_time()
        run_bare(once)
        wholes.append(weighed - started)
        parts.append(weighed - fed + thread_time() - weighed)
    frames = len(replay.frames)
    once_s = median(parts)
    return LiveCost(once_s=once_s, frame_s=(median(wholes) - once_s) / frames, played_frames=frames)


def _frame_stages(replay: Replay, engine: Engine, *, rounds: int) -> dict[str, Timed]:
    jpegs = [frame.jpeg for _, frame in replay.frames]
    first, later = (decode_image(jpegs[place]) for place in (0, 1))
    face = engine.refine(later, engine.detect(later)[0])
    start = engine.refine(first, engine.detect(first)[0])
    tracks = seed_tracks(first.luma(), start.landmarks)
    if tracks is None:
        raise ValueError("the recorded session begins with a face that cannot be followed")
    moved = follow_tracks(tracks, later.luma(), face.landmarks)
    works: dict[str, Work] = {
        "decode": lambda: decode_image(jpegs[1]),
        "detect": lambda: engine.detect(later),
        "refine": lambda: engine.refine(later, face),
        "track": lambda: follow_tracks(tracks, later.luma(), face.landmarks),
        "pose": lambda: pose_from_landmarks(face.landmarks),
        "motion": lambda: measure_motion(moved.reference, moved.current, moved.landmarks),
        "relief": lambda: measure_relief(moved.reference, moved.current, moved.landmarks),
        "quality": lambda: engine.quality(later, face),
        "embed (8 frames a session)": lambda: engine.embed(later, face),
    }
    return interleaved(works, rounds=rounds, advance=lambda: None)


@dataclass(slots=True)
class _ClockedSession(LiveSession):
    """Counts the time that liveness takes beside decoding, networks and comparing."""

    seconds: float = field(default=0.0, init=False)

    def _observe(
        self, frame: Frame, luma: Luma, face: Face | None, *, faces: int, nonce: str, now: float
    ) -> Observation:
        """Making the luma counts too, so it is made once more."""
        started = thread_time()
        Luma.of(frame)
        observation = LiveSession._observe(self, frame, luma, face, faces=faces, nonce=nonce, now=now)
        self.seconds += thread_time() - started
        return observation

    def _begin_tracks(self, luma: Luma, face: Face) -> None:
        started = thread_time()
        LiveSession._begin_tracks(self, luma, face)
        self.seconds += thread_time() - started


def _signals_ms(replay: Replay, engine: Engine) -> float:
    """Of a whole session, in milliseconds; the report at its end is in it."""
    session = replay.session(engine, _ClockedSession)
    assert isinstance(session, _ClockedSession)  # noqa: S101  (it was just made)
    replay.feed_to(session)
    started = thread_time()
    session.evidence()
    return 1000 * (session.seconds + thread_time() - started)


def _compare(photos: tuple[bytes, bytes], engine: Engine) -> float:
    one, other = (engine.read_probe(photo) for photo in photos)
    return cosine(one, other)


def _run_bare(jpegs: Sequence[bytes], runs: list[Run]) -> None:
    _decode_bare(jpegs)
    run_bare(runs)


def _decode_bare(jpegs: Sequence[bytes]) -> None:
    for jpeg in jpegs:
        simplejpeg.decode_jpeg(jpeg, colorspace="BGR")
