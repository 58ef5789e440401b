"""The engine: one prepared pack, loaded. The one object through which the rest of the system sees pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.alignment import SIDE, align
from models.attack_detection import AttackDetector, read_calibration
from models.detection import FIRST_SIDE, Decoder, Detector, Face, decode_yunet
from models.embedding import Embedder, Embedding
from models.errors import ModelError
from models.face_quality.assessment import Component, assess_quality
from models.image import DEFAULT_LIMITS, Frame, ImageLimits
from models.licences import require_accepted
from models.manifest import ModelEntry, load_manifest
from models.network import PictureNetwork
from models.packs import DEFAULT, FoundPack, find_pack
from models.pad_crops import SIDE as VIEW_SIDE
from models.pad_crops import pad_views
from models.portrait import Portrait, find_portrait, read_portrait, single_face
from models.prepare import read_compiled, read_shipped
from models.quality import Quality, measure_quality
from models.scrfd import decode_scrfd
from models.session import choose_provider, load_network

ATTACK_DETECTOR = "heyan_pad_1"
"""The network for presentation attack detection; it belongs to no pack."""

DECODERS: Mapping[str, Decoder] = {"yunet": decode_yunet, "scrfd": decode_scrfd}
"""By what the manifest calls them."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Detector and embedder of one pack. Thread safe; ONNX Runtime releases the GIL.

    The networks run in this process, or elsewhere (`models.remote.engine`): nobody who asks can tell.
    """

    detector: Detector
    embedder: Embedder
    attack_detector: AttackDetector
    pack: str
    threads: int
    entries: Mapping[str, ModelEntry]
    """What the manifests say of all that is loaded, by name."""

    @classmethod
    def open(cls, *, data_dir: Path, pack: str = DEFAULT, provider: str = "auto", threads: int = 1) -> "Engine":
        """Load a prepared pack and warm it up.

        Raises:
            ModelError: `pack_unknown`, `manifest_invalid`, `licence_not_accepted`, `model_missing`,
                `model_checksum_mismatch`, `model_invalid`, `provider_missing`.
        """
        found = find_pack(pack)
        require_accepted(data_dir, found)
        chosen = choose_provider(provider)

        def load(name: str, *shape: int) -> PictureNetwork:
            shipped = name == ATTACK_DETECTOR
            content = read_shipped(name) if shipped else read_compiled(data_dir, pack, name, provider=chosen)
            return load_network(content, provider=chosen, threads=threads, warm_up=shape)

        return cls.assembled(found, load, threads=threads)

    @classmethod
    def assembled(cls, found: FoundPack, load: Callable[..., PictureNetwork], *, threads: int) -> "Engine":
        """The engine of a pack, of networks that `load` gives by name and the shape of a first run (N, H, W, 3).

        Raises:
            ModelError: `pack_unknown` for a pack that compares no faces, `model_invalid`; what `load` raises.
        """
        detector, embedder = found.pack.detector, found.pack.embedder
        if detector is None or embedder is None:
            raise ModelError("pack_unknown", f"the pack {found.name!r} compares no faces: set HEYAN_PACK to another")
        attacks = load(ATTACK_DETECTOR, 1, 2, VIEW_SIDE, VIEW_SIDE, 3)
        return cls(
            detector=_detector(load(detector, 1, FIRST_SIDE, FIRST_SIDE, 3), found.models[detector]),
            embedder=_embedder(load(embedder, 1, SIDE, SIDE, 3), found.models[embedder]),
            attack_detector=AttackDetector(attacks, read_calibration(ATTACK_DETECTOR)),
            pack=found.name,
            threads=threads,
            entries={**found.models, ATTACK_DETECTOR: load_manifest().models[ATTACK_DETECTOR]},
        )

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

    def portrait(self, frame: Frame) -> Portrait:
        """The portrait of an ID photo as it comes: turned, on a card, beside its ghost image.

        Raises:
            FaceError: `face_none`, `face_several`, `face_too_small`. ModelError: as `embed`.
        """
        return find_portrait(frame, detector=self.detector, embed=self.embed)

    def single_face(self, frame: Frame) -> Face:
        """The one face of a photo that is known to lie upright. Raises FaceError as `portrait`."""
        return single_face(self.detect(frame))

    def probe(self, frame: Frame) -> Embedding:
        """Embedding of a photo of one person. Raises FaceError as `portrait`, ModelError as `embed`."""
        found = self.portrait(frame)
        return self.embed(found.frame, found.face)

    def read_probe(self, photo: bytes, *, limits: ImageLimits = DEFAULT_LIMITS) -> Embedding:
        """As `probe`, of a photo in its bytes, of which no more is decoded than a comparison needs.

        Raises ImageError, FaceError and ModelError as `models.portrait.read_portrait`.
        """
        found = read_portrait(photo, detector=self.detector, embed=self.embed, limits=limits)
        return self.embed(found.frame, found.face)

    def reference(self, frame: Frame) -> Embedding:
        """Embedding of a photo that others are compared with: made once, and with care. Raises as `probe`."""
        found = self.portrait(frame)
        return self.template(found.frame, found.face)

    def template(self, frame: Frame, face: Face) -> Embedding:
        """As `reference`, of a face that was found. Raises ModelError as `embed`."""
        return self.embedder.reference(align(frame, face))

    def describe(self) -> Mapping[str, str]:
        """What is loaded: pack, provider in use, contract, threads, runtime."""
        loaded = {"pack": self.pack, "provider": self.embedder.network.provider, "contract": self.contract}
        return {**loaded, "threads": str(self.threads), **self.embedder.network.runtime}

    def check(self) -> None:
        """Whether the networks can run now: those of this process can. Raises ModelError as `PictureNetwork.check`."""
        self.embedder.network.check()


def _detector(network: PictureNetwork, entry: ModelEntry) -> Detector:
    """A detector whose outputs were read once, on a picture that is no square. Raises ModelError `model_invalid`."""
    detector = Detector(network, DECODERS[entry.decoder or ""], entry.straight)
    try:
        detector.detect(Frame(np.zeros((FIRST_SIDE, FIRST_SIDE // 2, 3), np.uint8)))
    except ModelError:
        raise
    except Exception as error:  # outputs that are not expected, or a size that the graph does not take
        message = (
            f"{entry.file} is no detector that `{entry.decoder}` reads at any size: {type(error).__name__}: {error}"
        )
        raise ModelError("model_invalid", message) from error
    return detector


def _embedder(network: PictureNetwork, entry: ModelEntry) -> Embedder:
    """An embedder that gave a vector for each of two pictures. Raises ModelError `model_invalid`."""
    if entry.contract is None:
        raise ModelError("model_invalid", f"the manifest's embedder {entry.file!r} has no contract")
    try:
        shape = network.run(np.zeros((2, SIDE, SIDE, 3), np.uint8))[0].shape
    except ModelError:
        raise
    except Exception as error:
        raise ModelError("model_invalid", f"{entry.file} takes one face at a time and no two: {error}") from error
    if len(shape) != 2 or shape[0] != 2:  # noqa: PLR2004
        raise ModelError("model_invalid", f"{entry.file} gave {shape} for two faces: must be a vector for each")
    return Embedder(network, entry.contract)
