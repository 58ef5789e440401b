"""heyan itself, as `heyan compare` does it."""

from importlib.metadata import version

from benchmarks.peers.door import Peer
from models.embedding import cosine
from models.engine import Engine


def open_own(engine: Engine) -> Peer:
    """The loaded engine."""

    def compare(one: bytes, other: bytes) -> float:
        return cosine(engine.read_probe(one), engine.read_probe(other))

    how = f"{engine.contract}, compiled, {engine.describe()['provider']}"
    return Peer(name="heyan", version=version("heyan"), how=how, compare=compare)
