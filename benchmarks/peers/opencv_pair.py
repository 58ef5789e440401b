"""OpenCV's own pair over the same weights: FaceDetectorYN and FaceRecognizerSF, used as its samples do."""

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from benchmarks.peers.door import Peer
from models.compile import dequantise
from models.prepare import inventory

SCORE, OVERLAP, MOST = 0.6, 0.3, 5000


def open_opencv_pair(data_dir: Path) -> Peer:
    """The pair on the source files of the pack `open`, dequantised: its recogniser cannot feed them as they are.

    Raises:
        models.errors.ModelError: the files are not prepared.
    """
    with TemporaryDirectory(prefix="heyan-peer-") as folder:
        files: dict[str, str] = {}
        for model in inventory(data_dir, "open"):
            path = Path(folder) / f"{model.name}.onnx"
            path.write_bytes(dequantise(model.source.read_bytes()))
            files[model.entry.task] = str(path)
        detector = cv2.FaceDetectorYN.create(files["detection"], "", (320, 320), SCORE, OVERLAP, MOST)
        recogniser = cv2.FaceRecognizerSF.create(files["embedding"], "")

    def feature(photo: bytes) -> cv2.typing.MatLike:
        picture = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError("OpenCV cannot decode the photo")
        detector.setInputSize((picture.shape[1], picture.shape[0]))
        faces = detector.detect(picture)[1]
        if faces is None:
            raise ValueError("OpenCV's detector finds no face")
        return recogniser.feature(recogniser.alignCrop(picture, faces[0]))

    def compare(one: bytes, other: bytes) -> float:
        return float(recogniser.match(feature(one), feature(other), cv2.FaceRecognizerSF_FR_COSINE))

    return Peer(
        name="opencv",
        version=cv2.__version__,
        how="FaceDetectorYN, FaceRecognizerSF, the same weights",
        compare=compare,
    )
