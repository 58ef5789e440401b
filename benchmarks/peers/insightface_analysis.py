"""insightface: FaceAnalysis over the files of a folder, as its README shows it."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from benchmarks.peers.door import Peer, PeerMissingError

DETECTION_SIZE = (640, 640)
"""What its README and its demo set."""


def open_insightface(folder: Path | None) -> Peer:
    """A detector and a recogniser, `*.onnx` files in one folder.

    Raises:
        PeerMissingError: the package is not installed, or the folder is no pack.
    """
    if folder is None:
        raise PeerMissingError("name a folder of a detector and a recogniser with --insightface")
    files = sorted(folder.glob("*.onnx"))
    try:
        found, module = version("insightface"), import_module("insightface.app")
        with TemporaryDirectory(prefix="heyan-peer-") as root:
            pack = Path(root) / "models" / "pack"
            pack.mkdir(parents=True)
            for file in files:
                (pack / file.name).symlink_to(file.resolve())
            analysis = module.FaceAnalysis(name="pack", root=root, providers=["CPUExecutionProvider"])
            analysis.prepare(ctx_id=-1, det_size=DETECTION_SIZE)
    except (ImportError, PackageNotFoundError) as error:
        raise PeerMissingError(f"install insightface without its opencv-python ({error})") from None
    except (AssertionError, RuntimeError, ValueError) as error:
        raise PeerMissingError(f"{folder} holds no detector and recogniser that it takes ({error})") from None

    def embedding(photo: bytes) -> np.ndarray:
        faces = analysis.get(cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR))
        if not faces:
            raise ValueError("insightface finds no face")
        return np.asarray(faces[0].normed_embedding)

    def compare(one: bytes, other: bytes) -> float:
        return float(embedding(one) @ embedding(other))

    how = f"FaceAnalysis at {DETECTION_SIZE[0]} pixels, {', '.join(file.name for file in files)}"
    return Peer(name="insightface", version=found, how=how, compare=compare)
