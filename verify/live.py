"""One live attempt: frames in, prompts out, evidence at the end.

Synchronous and free of clocks and sockets: the caller gives the time with every call and calls from one thread at a
time. Service, demo and benches run this same path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from statistics import median

from liveness.assessment import assess
from liveness.challenge import Challenge
from liveness.linear_maps import middle
from liveness.motion import Motion, measure_motion
from liveness.nose import measure_protrusion
from liveness.observation import FaceView, Observation
from liveness.perspective import measure_perspective
from liveness.prompts import Prompt
from liveness.relief import measure_relief, rough_foreshortening
from liveness.script import Phase, ScriptState, Step, advance, begin, counts_for_identity, rest_opens
from models.detection import Face
from models.embedding import Embedding, cosine, mean_embedding
from models.engine import Engine
from models.fingerprint import fingerprint
from models.following import FaceFollower
from models.frame_history import FrameHistory
from models.illumination import measure_illumination
from models.image import Frame, Luma, decode_image
from models.pose import pose_from_landmarks
from models.quality import Quality, face_brightness
from models.tracking import Points, Tracks, follow_tracks, seed_tracks
from verify.evidence import Evidence
from verify.fraud import DIGEST_BYTES, Traces
from verify.policy import Policy

NAN = float("nan")

TrackedPoints = tuple[Points, Points, Points]
"""Points in the reference view and now, and the reference view's landmarks: see `models.tracking.Tracks`."""

ROUGHLY = 0.75
"""Share of a foreshortening that its rough measure shows at least (`liveness.relief.rough_foreshortening`)."""
MOST_FRAMES = 600
"""Frames of a session that later ones are compared with: at 8 a second more than the longest challenge takes."""
MOST_PASSIVE = 8
"""Frames of a session that the passive attack detection looks at: those with which a cue begins, so that they show the
face from the front."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A frame that was compared with the reference (`liveness.script.counts_for_identity`)."""

    embedding: Embedding
    quality: Quality


@dataclass(slots=True)
class LiveSession:
    """The state of one running attempt; `receive` and `tick` move it on.

    `reference` is the template that the person is compared with; `started_at` and every `now` are seconds on one
    monotonic clock of the server.
    """

    engine: Engine
    challenge: Challenge
    reference: Embedding
    policy: Policy
    started_at: float
    _script: ScriptState = field(init=False)
    _tracks: Tracks | None = field(default=None, init=False)
    _last_seq: int = field(default=-1, init=False)
    _observations: list[Observation] = field(default_factory=list, init=False)
    _compared: list[Compared] = field(default_factory=list, init=False)
    _live_logits: list[float] = field(default_factory=list, init=False)
    _follower: FaceFollower = field(init=False)
    _fingerprints: bytearray = field(default_factory=bytearray, init=False)
    _digests: bytearray = field(default_factory=bytearray, init=False)
    _history: FrameHistory = field(default_factory=FrameHistory, init=False)

    def __post_init__(self) -> None:
        self._script = begin(now=self.started_at)
        self._follower = FaceFollower(self.engine)

    @property
    def finished(self) -> bool:
        """True once the script has ended, well or not; further frames are ignored."""
        return self._script.phase is Phase.DONE

    def receive(self, *, jpeg: bytes, nonce: str, seq: int, now: float) -> tuple[Prompt, ...]:
        """Analyse one frame.

        Frames out of order and frames after the end are ignored. `nonce` is what the frame echoed, "" before the
        first rest.

        Raises:
            models.errors.ImageError: the bytes are no picture that can be used.
        """
        if self.finished or seq <= self._last_seq:
            return ()
        self._last_seq = seq
        frame = decode_image(jpeg)
        found = self._follower.look(frame)
        face = found.face
        luma = Luma.of(frame)
        observation = self._observe(frame, luma, face, faces=found.count, nonce=nonce, now=now)
        self._observations.append(observation)
        before = self._script
        step = self._advance(observation, now)
        if face is not None:
            self._keep_traces(jpeg, luma)
            self._compare(frame, face, before=before, step=step)
            if rest_opens(step.state, now):
                self._begin_tracks(luma, face)
        return step.prompts

    def tick(self, *, now: float) -> tuple[Prompt, ...]:
        """Let time pass without a frame: windows close by the server's clock."""
        return self._advance(None, now).prompts

    def evidence(self) -> Evidence:
        """All that was measured; before the end: an interrupted session's."""
        cosines = [cosine(compared.embedding, self.reference) for compared in self._compared]
        embeddings = [compared.embedding for compared in self._compared]
        return Evidence(
            contract=self.reference.contract,
            similarity=cosine(mean_embedding(embeddings), self.reference) if embeddings else NAN,
            least_similarity=min(cosines, default=NAN),
            compared_frames=len(cosines),
            liveness=assess(
                challenge=self.challenge,
                script=self._script,
                observations=self._observations,
                face_chain=[cosine(one, following) for one, following in pairwise(embeddings)],
                live_probability=self._live_probability(),
                thresholds=self.policy.liveness,
            ),
            no_face_share=self._share(lambda faces: faces == 0),
            several_faces_share=self._share(lambda faces: faces > 1),
            eye_distance_px=_median([compared.quality.eye_distance_px for compared in self._compared]),
            brightness=_median([compared.quality.brightness for compared in self._compared]),
            sharpness=_median([compared.quality.sharpness for compared in self._compared]),
            interrupted=not self.finished,
        )

    def traces(self) -> Traces:
        """What other sessions are compared with."""
        embeddings = [compared.embedding for compared in self._compared]
        return Traces(
            face=mean_embedding(embeddings) if embeddings else None,
            fingerprints=bytes(self._fingerprints),
            digests=bytes(self._digests),
        )

    def _keep_traces(self, jpeg: bytes, luma: Luma) -> None:
        if len(self._digests) < MOST_FRAMES * DIGEST_BYTES:
            self._digests += sha256(jpeg).digest()[:DIGEST_BYTES]
            self._fingerprints += fingerprint(luma.half)

    def _advance(self, observation: Observation | None, now: float) -> Step:
        step = advance(
            self._script,
            challenge=self.challenge,
            thresholds=self.policy.liveness,
            observation=observation,
            now=now,
        )
        self._script = step.state
        return step

    def _observe(
        self, frame: Frame, luma: Luma, face: Face | None, *, faces: int, nonce: str, now: float
    ) -> Observation:
        """All that liveness sees in one frame."""
        view = self._view(frame, luma, face) if face is not None else None
        novelty = self._history.add(luma.half, at=now)
        return Observation(at=now, nonce=nonce, faces=faces, face=view, novelty=novelty)

    def _begin_tracks(self, luma: Luma, face: Face) -> None:
        """This frame becomes what motion is measured against."""
        self._tracks = seed_tracks(luma.whole, face.landmarks)

    def _view(self, frame: Frame, luma: Luma, face: Face) -> FaceView:
        """Measure the face, and its motion since the last rest if there is one."""
        lit = self._script.phase is Phase.LIGHT
        points = None if lit else self._tracked(luma, face)
        motion = None if points is None else self._motion(points)
        height, width = luma.whole.shape
        centre_x, centre_y = middle(face.landmarks)
        pose = pose_from_landmarks(face.landmarks)
        return FaceView(
            pose=pose,
            straight=self.engine.detector.looks_straight(pose),
            eye_distance=face.eye_distance / width,
            centre_x=float(centre_x) / width,
            centre_y=float(centre_y) / height,
            aspect=height / width,
            brightness=face_brightness(luma.whole, face),
            motion=motion,
            relief=None if points is None or not self._squeezed(points) else measure_relief(*points),
            protrusion=None if points is None or not self._turned(motion) else measure_protrusion(*points),
            perspective=None if points is None or not self._closer(motion) else measure_perspective(*points),
            illumination=measure_illumination(frame, face) if lit else None,
        )

    def _tracked(self, luma: Luma, face: Face) -> TrackedPoints | None:
        """The points since the last rest; None before the first, and where too few are left."""
        if self._tracks is None:
            return None
        self._tracks = follow_tracks(self._tracks, luma.whole, face.landmarks)
        tracks = self._tracks
        return (tracks.reference, tracks.current, tracks.landmarks) if tracks.usable else None

    def _squeezed(self, points: TrackedPoints) -> bool:
        """Whether the face may be turned far enough for its relief to be judged: spares most frames the fit."""
        reference, current, _ = points
        return rough_foreshortening(reference, current) >= ROUGHLY * self.policy.liveness.signals.relief_turn_degrees

    def _turned(self, motion: Motion | None) -> bool:
        return motion is not None and abs(motion.yaw) >= self.policy.liveness.signals.nose_turn_degrees

    def _closer(self, motion: Motion | None) -> bool:
        return motion is not None and motion.scale >= self.policy.liveness.signals.perspective_growth

    def _motion(self, points: TrackedPoints) -> Motion | None:
        return measure_motion(*points)

    def _compare(self, frame: Frame, face: Face, *, before: ScriptState, step: Step) -> None:
        """Keep the embedding of the frames that count."""
        if not counts_for_identity(before, step):
            return
        self._compared.append(Compared(self.engine.embed(frame, face), self.engine.quality(frame, face)))
        if before.opened_at is None and len(self._live_logits) < MOST_PASSIVE:
            self._live_logits.append(self.engine.live_logit(frame, face))

    def _live_probability(self) -> float | None:
        """Pooled over the frames that were looked at; None without any."""
        return self.engine.attack_detector.probability(self._live_logits) if self._live_logits else None

    def _share(self, which: Callable[[int], bool]) -> float:
        counted = sum(which(observation.faces) for observation in self._observations)
        return counted / len(self._observations) if self._observations else 1.0


def _median(values: Sequence[float]) -> float:
    return median(values) if values else NAN
