"""Key files: made on the first run, readable by their owner alone, outside of the store.

<data>/keys/live.ring, test.ring, checkpoint.ring   Ed25519 keys: one signs, older ones verify; see `Ring`
<data>/keys/wrapping.key, person.key                32 random bytes each
<data>/keys/shelf.db                                a secret for each case: see `verify.shelf`
<data>/keys/auditor.jwk                             X25519 pair for scores, if no auditor has given a key

Test mode shares nothing with live, and the key of checkpoints signs nothing else.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal, get_args

import msgspec

from models.fetch import make_private
from verify.errors import KeyDamaged, NotFound, Unavailable
from verify.identifiers import Entropy
from verify.jose import (
    SealingKey,
    SigningKey,
    VerifyingKey,
    new_sealing_key,
    new_signing_key,
    read_sealing_key,
    read_signing_key,
    read_verifying_key,
)
from verify.shelf import ShelfFile
from verify.vault import KEY_BYTES, Vault

Purpose = Literal["live", "test", "checkpoint"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

SECRETS = ("wrapping.key", "person.key")
SHELF = "shelf.db"
OWN_AUDITOR = "auditor.jwk"

PUBLISH_SECONDS = 600.0
"""A new key is published for this long before it signs: every replica and every cache of the JWKS knows it by then."""

OVERLAP_SECONDS = 900.0
"""A key verifies tokens for this long after it has signed its last: their longest life (600 s), and the clocks' spread.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingKey:
    """One key of a ring. `signs_from`: Unix seconds. `signing` is None once the private half was thrown away."""

    public: VerifyingKey
    signing: SigningKey | None
    signs_from: float


@dataclass(frozen=True, slots=True)
class Ring:
    """Keys of one purpose, oldest first. At any time the newest whose time has come signs."""

    keys: tuple[RingKey, ...]

    def signer(self, *, now: float) -> SigningKey:
        """The key that signs at a time (Unix seconds). The first key of a ring signs from the beginning."""
        key = self.keys[self._place(now)].signing
        if key is None:
            raise KeyDamaged("the key that should sign has no private half: restore the ring of keys")
        return key

    def began(self, *, now: float) -> float:
        """Since when the key that signs at a time does so, Unix seconds; 0 for the first key of a ring."""
        return self.keys[self._place(now)].signs_from

    def verifiers(self, *, now: float) -> tuple[VerifyingKey, ...]:
        """The keys of signatures that are made now, were made lately, or may come from a replica ahead of this one."""
        return tuple(key.public for key in self.keys[self._place(now - OVERLAP_SECONDS) :])

    def counts(self, key: VerifyingKey, *, now: float) -> bool:
        """Whether a key is one of the `verifiers`."""
        return key in self.verifiers(now=now)

    def published(self) -> tuple[VerifyingKey, ...]:
        """All public keys, also retired ones: what they have signed for archives is good for years."""
        return tuple(key.public for key in self.keys)

    def rotated(self, new: SigningKey, *, now: float, signs_from: float, purpose: Purpose) -> "Ring":
        """With a new key, and without the private halves that are of no use any more.

        A key that was to sign from a later time, and has not begun to, is given up in favour of the new one.
        """
        begun = [key for key in self.keys if key.signs_from <= now]
        last = begun[-1]
        spent = [replace(key, signing=None) for key in begun[:-1]]
        waiting = [replace(key, signing=None) for key in self.keys if key.signs_from > now]
        kept = [*spent, *(replace(key, signs_from=last.signs_from) for key in waiting), last]
        return Ring((*kept, RingKey(public=new.verifying(purpose), signing=new, signs_from=signs_from)))

    def _place(self, now: float) -> int:
        begun = [place for place, key in enumerate(self.keys) if key.signs_from <= now]
        return begun[-1] if begun else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredKey:
    jwk: dict[str, Any]
    signs_from: float


class RingFile:
    """A ring on disk. Read anew whenever the file was replaced, so that a running service follows a rotation."""

    def __init__(self, path: Path, purpose: Purpose) -> None:
        self._path = path
        self._purpose: Purpose = purpose
        self._read: tuple[tuple[int, int, int], Ring] | None = None

    @property
    def ring(self) -> Ring:
        """The ring as it is on disk now. Raises Unavailable `key_damaged`."""
        try:
            state = self._path.stat()
        except OSError:
            raise _damaged(self._path) from None
        version = (state.st_ino, state.st_mtime_ns, state.st_size)
        if self._read is None or self._read[0] != version:
            self._read = (version, _decode(self._path, self._purpose))
        return self._read[1]

    def signing_since(self, *, now: float) -> float:
        """When the key that signs now began to, Unix seconds. The first key of a ring: when its file was written.

        Raises:
            Unavailable: `key_damaged`.
        """
        return self.ring.began(now=now) or self._path.stat().st_mtime

    def rotate(self, *, now: float, at_once: bool = False, replacing: str | None = None) -> Ring:
        """Add a fresh key, which signs after `PUBLISH_SECONDS`, or at once if the present one is not to be trusted.

        `replacing`: nothing is done if the newest key is another one than this (by `kid`).
        """
        with _locked(self._path.parent):
            if replacing not in {None, self.ring.keys[-1].public.kid}:
                return self.ring
            signs_from = now if at_once else now + PUBLISH_SECONDS
            ring = self.ring.rotated(new_signing_key(), now=now, signs_from=signs_from, purpose=self._purpose)
            _replace(self._path, _encode(ring))
        return self.ring

    def retain(self, published: Iterable[VerifyingKey]) -> None:
        """Let public keys of before go on to verify, whose private halves are lost."""
        with _locked(self._path.parent):
            ours = self.ring
            lacking = [key for key in published if key not in ours.published()]
            if lacking:
                retired = (RingKey(public=key, signing=None, signs_from=0.0) for key in lacking)
                _replace(self._path, _encode(Ring((*retired, *ours.keys))))


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of one installation."""

    rings: Mapping[Purpose, RingFile]
    vault: Vault
    auditor: SealingKey
    """Seals scores; of an auditor's own key this is the public half alone."""


def load_keys(data_dir: Path, *, entropy: Entropy, auditor_key: Path | None = None) -> Keys:
    """Read the key files; those that are missing are made.

    `auditor_key`: file with the auditor's public key; without one a pair is made and kept beside the others.

    Raises:
        Unavailable: `key_damaged` if a file holds no key.
    """
    make_keys(data_dir, entropy=entropy, own_auditor=auditor_key is None)
    auditor = read_auditor_key(auditor_key or data_dir / "keys" / OWN_AUDITOR, private=False)
    return Keys(read_rings(data_dir), read_vault(data_dir, entropy=entropy), auditor)


def make_keys(data_dir: Path, *, entropy: Entropy, own_auditor: bool) -> None:
    """Make the key files that are missing. Raises Unavailable `key_damaged`."""
    folder = data_dir / "keys"
    make_private(folder)
    for purpose in PURPOSES:
        _make_ring(folder, purpose)
    for name in SECRETS:
        _make_once(folder / name, lambda: entropy(KEY_BYTES))
    ShelfFile(folder / SHELF)
    if own_auditor:
        _make_once(folder / OWN_AUDITOR, lambda: new_sealing_key().to_json(private=True))


def read_rings(data_dir: Path) -> Mapping[Purpose, RingFile]:
    """The rings that are there; none is made. Raises NotFound `data_missing`, Unavailable `key_damaged`."""
    rings: dict[Purpose, RingFile] = {
        purpose: RingFile(_there(data_dir, f"{purpose}.ring"), purpose) for purpose in PURPOSES
    }
    for each in rings.values():
        _ = each.ring  # a damaged one is found out now
    return rings


def read_vault(data_dir: Path, *, entropy: Entropy) -> Vault:
    """The secrets that are there; none is made. Raises NotFound `data_missing`, Unavailable `key_damaged`."""
    wrapping, person = (read_secret(_there(data_dir, name)) for name in SECRETS)
    return Vault(wrapping, person, entropy, ShelfFile(_there(data_dir, SHELF)))


def key_files(data_dir: Path) -> Mapping[Path, Callable[[], object]]:
    """Every file that `load_keys` makes if it is missing, with what reads it: makes nothing, raises the same."""
    folder = data_dir / "keys"
    rings = {folder / f"{purpose}.ring": partial(_decode, folder / f"{purpose}.ring", purpose) for purpose in PURPOSES}
    random = {folder / name: partial(read_secret, folder / name) for name in SECRETS}
    auditor, shelf = folder / OWN_AUDITOR, folder / SHELF
    return {
        **rings,
        **random,
        shelf: partial(ShelfFile, shelf),
        auditor: partial(read_auditor_key, auditor, private=False),
    }


def read_auditor_key(path: Path, *, private: bool) -> SealingKey:
    """The key in a file: to open scores both halves are needed.

    Raises:
        Unavailable: `key_damaged`; also if it is not there. OSError.
    """
    try:
        return read_sealing_key(path.read_bytes(), private=private)
    except FileNotFoundError:
        message = f"{path} is not there: name the file that holds the auditor's key (HEYAN_AUDITOR_KEY, or --key)"
        raise Unavailable("key_damaged", message) from None
    except ValueError:
        raise _damaged(path) from None


def read_secret(path: Path) -> bytes:
    """32 random bytes. Raises Unavailable `key_damaged`, OSError."""
    content = path.read_bytes()
    if len(content) != KEY_BYTES:
        raise _damaged(path)
    return content


def _there(data_dir: Path, name: str) -> Path:
    path = data_dir / "keys" / name
    if not path.exists():
        message = f"HEYAN_DATA_DIR={data_dir} has no keys/{name}: name the directory of your service"
        raise NotFound("data_missing", f"{message}; heyan serve makes a new one")
    return path


def _make_ring(folder: Path, purpose: Purpose) -> None:
    def first() -> bytes:
        key = new_signing_key()
        return _encode(Ring((RingKey(public=key.verifying(purpose), signing=key, signs_from=0.0),)))

    _make_once(folder / f"{purpose}.ring", first)


def _encode(ring: Ring) -> bytes:
    stored = [
        _StoredKey(
            jwk=key.signing.to_jwk() if key.signing is not None else key.public.public_jwk(),
            signs_from=key.signs_from,
        )
        for key in ring.keys
    ]
    return msgspec.json.format(msgspec.json.encode(stored), indent=1)


def _decode(path: Path, purpose: Purpose) -> Ring:
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=tuple[_StoredKey, ...])
        keys = tuple(_ring_key(each, purpose) for each in stored)
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        raise _damaged(path) from None
    if not keys or keys[-1].signing is None:
        raise _damaged(path)
    return Ring(keys)


def _ring_key(stored: _StoredKey, purpose: Purpose) -> RingKey:
    signing = read_signing_key(stored.jwk) if "d" in stored.jwk else None
    public = read_verifying_key(stored.jwk, purpose=purpose)
    return RingKey(public=public, signing=signing, signs_from=stored.signs_from)


def _make_once(path: Path, make: Callable[[], bytes]) -> None:
    """Two processes at their first start must end with the same key: whoever links first has made it."""
    if not path.exists():
        with _written(path, make()) as temporary, suppress(FileExistsError):
            os.link(temporary, path)


def _replace(path: Path, content: bytes) -> None:
    """The file is the old one or the new one, at every moment."""
    with _written(path, content) as temporary:
        linked = path.with_name(f".{path.name}.new")
        linked.unlink(missing_ok=True)
        os.link(temporary, linked)
        linked.replace(path)


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[str]:
    """A temporary file beside `path` with this content on disk, 0600 from its first byte."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        yield file.name


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One rotation at a time, also of several processes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _damaged(path: Path) -> KeyDamaged:
    return KeyDamaged(f"{path} holds no key: restore it from your backup of keys; nothing was changed")
