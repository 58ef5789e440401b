"""The engine: one prepared pack, loaded. The one object through which the rest of the system sees pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.alignment import SIDE, align
from models.attack_detection import AttackDetector, read_calibration
from models.detection import FIRST_SIDE, Detector, Face
from models.embedding import Embedder, Embedding
from models.errors import FaceError, ModelError
from models.face_quality import Component, assess_quality
from models.image import Frame
from models.manifest import load_manifest
from models.pad_crops import SIDE as VIEW_SIDE
from models.pad_crops import pad_views
from models.prepare import read_compiled, read_shipped
from models.quality import Quality, measure_quality
from models.session import load_network, runtime_info

ATTACK_DETECTOR = "heyan_pad_1"
"""The network for presentation attack detection; it belongs to no pack."""

LEAST_EYE_DISTANCE = 24.0
"""Pixels between the eyes below which a photo is refused. ICAO 9303 asks for 90 on ID photos; SFace's own input has 35,
so that a face of fewer than two thirds of that is mostly invented by enlargement."""
BYSTANDER = 0.5
"""Another face of at least this share of the largest one's height makes it unclear who is meant; a smaller one is
behind: somebody who passes by, a picture on the wall."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Detector and embedder of one pack. Thread safe; ONNX Runtime releases the GIL."""

    detector: Detector
    embedder: Embedder
    attack_detector: AttackDetector
    pack: str
    threads: int

    @classmethod
    def open(cls, *, data_dir: Path, pack: str = "open", provider: str = "auto", threads: int = 1) -> "Engine":
        """Load a prepared pack and warm it up.

        Raises:
            ModelError: `pack_unknown`, `model_missing`, `model_checksum_mismatch`, `model_invalid`, `provider_missing`.
        """
        names = load_manifest().pack(pack)
        if names.detector is None or names.embedder is None:
            raise ModelError("pack_unknown", f"the pack {pack!r} compares no faces: set HEYAN_PACK to another")
        contract = load_manifest().models[names.embedder].contract
        if contract is None:
            raise ModelError("model_invalid", f"the manifest's embedder {names.embedder!r} has no contract")
        detector = load_network(
            read_compiled(data_dir, pack, names.detector),
            provider=provider,
            threads=threads,
            warm_up=(1, FIRST_SIDE, FIRST_SIDE, 3),
        )
        embedder = load_network(
            read_compiled(data_dir, pack, names.embedder),
            provider=provider,
            threads=threads,
            warm_up=(1, SIDE, SIDE, 3),
        )
        attacks = load_network(
            read_shipped(ATTACK_DETECTOR), provider=provider, threads=threads, warm_up=(1, 2, VIEW_SIDE, VIEW_SIDE, 3)
        )
        attack_detector = AttackDetector(attacks, read_calibration(ATTACK_DETECTOR))
        return cls(Detector(detector), Embedder(embedder, contract), attack_detector, pack, threads)

    @property
    def contract(self) -> str:
        """Contract id of this engine's embeddings."""
        return self.embedder.contract

    def detect(self, frame: Frame) -> tuple[Face, ...]:
        """All faces of a frame, largest first."""
        return self.detector.detect(frame)

    def refine(self, frame: Frame, face: Face) -> Face:
        """The same face with finer landmarks."""
        return self.detector.refine(frame, face)

    def around(self, frame: Frame, face: Face) -> tuple[Face, ...]:
        """All faces around the place of one, largest first, with fine landmarks."""
        return self.detector.around(frame, face)

    def embed(self, frame: Frame, face: Face) -> Embedding:
        """Embedding of one face, aligned from the full-resolution frame. Raises ModelError `embedding_not_finite`."""
        return self.embedder.embed([align(frame, face)])[0]

    def live_logit(self, frame: Frame, face: Face) -> float:
        """How much one face looks like a live one, not like a picture of one; pool over a clip before judging.

        Raises ModelError `logit_not_finite`.
        """
        return self.attack_detector.logit(pad_views(frame.pixels, face.box))

    def quality(self, frame: Frame, face: Face) -> Quality:
        """What a live session measures of the quality of one face."""
        return measure_quality(frame, face)

    def components(self, frame: Frame, face: Face) -> tuple[Component, ...]:
        """Quality of one face by the components of ISO/IEC 29794-5, for photos that are kept or looked into."""
        return assess_quality(frame, face)

    def single_face(self, frame: Frame) -> Face:
        """The one face of a photo.

        Raises:
            FaceError: `face_none`, `face_several`, `face_too_small`.
        """
        faces = self.detect(frame)
        if not faces:
            raise FaceError("face_none", "no face was found; send an upright photo that shows the face from the front")
        rivals = [face for face in faces[1:] if face.box[3] >= BYSTANDER * faces[0].box[3]]
        if rivals:
            message = f"{1 + len(rivals)} faces were found; send a photo that shows one person"
            raise FaceError("face_several", message)
        if faces[0].eye_distance < LEAST_EYE_DISTANCE:
            found = f"{faces[0].eye_distance:.0f} pixels between the eyes"
            message = f"the face has {found}, {LEAST_EYE_DISTANCE:.0f} are needed; send a larger photo"
            raise FaceError("face_too_small", message)
        return faces[0]

    def probe(self, frame: Frame) -> Embedding:
        """Embedding of a photo of one person. Raises FaceError as `single_face`, ModelError as `embed`."""
        return self.embed(frame, self.single_face(frame))

    def reference(self, frame: Frame) -> Embedding:
        """Embedding of a photo that others are compared with: made once, and with care. Raises as `probe`."""
        return self.template(frame, self.single_face(frame))

    def template(self, frame: Frame, face: Face) -> Embedding:
        """As `reference`, of a face that was found. Raises ModelError as `embed`."""
        return self.embedder.reference(align(frame, face))

    def describe(self) -> Mapping[str, str]:
        """What is loaded: pack, provider in use, contract, threads, runtime."""
        loaded = {"pack": self.pack, "provider": self.embedder.network.provider, "contract": self.contract}
        return {**loaded, "threads": str(self.threads), **runtime_info()}
