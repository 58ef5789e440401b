"""deepface: DeepFace.verify with the same two networks, which it fetches itself."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import cv2
import numpy as np

from benchmarks.peers.door import Peer, PeerMissingError


def open_deepface() -> Peer:
    """The installed package.

    Raises:
        PeerMissingError: it is not installed.
    """
    try:
        found, module = version("deepface"), import_module("deepface").DeepFace
    except (ImportError, PackageNotFoundError) as error:
        raise PeerMissingError(f"install deepface ({error})") from None

    def picture(photo: bytes) -> cv2.typing.MatLike:
        decoded = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            raise ValueError("OpenCV cannot decode the photo")
        return decoded

    def compare(one: bytes, other: bytes) -> float:
        answer = module.verify(
            picture(one), picture(other), model_name="SFace", detector_backend="yunet", distance_metric="cosine"
        )
        return 1 - float(answer["distance"])

    return Peer(name="deepface", version=found, how="DeepFace.verify, SFace, yunet", compare=compare)
