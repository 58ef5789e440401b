"""heyan itself, as `heyan compare` does it."""

from importlib.metadata import version

from benchmarks.peers.door import Peer
from models.embedding import cosine
from models.engine import Engine
from models.image import decode_image


def open_own(engine: Engine) -> Peer:
    """The loaded engine."""

    def compare(one: bytes, other: bytes) -> float:
        return cosine(engine.probe(decode_image(one)), engine.probe(decode_image(other)))

    how = f"{engine.contract}, compiled, {engine.describe()['provider']}"
    return Peer(name="heyan", version=version("heyan"), how=how, compare=compare)
