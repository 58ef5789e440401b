"""Key files: made on the first run, readable by their owner alone, outside of the store.

<data>/keys/signing-live.jwk, signing-test.jwk   Ed25519 pairs; test mode shares nothing with live
<data>/keys/wrapping.key, person.key             32 random bytes each
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from verify.casefile import Mode
from verify.errors import Unavailable
from verify.identifiers import Entropy
from verify.jose import SigningKey, new_signing_key, read_signing_key
from verify.vault import KEY_BYTES, Vault


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of one installation."""

    signing: Mapping[Mode, SigningKey]
    vault: Vault


def load_keys(data_dir: Path, *, entropy: Entropy) -> Keys:
    """Read the key files; those that are missing are made.

    Raises:
        Unavailable: `key_damaged` if a file holds no key.
    """
    folder = data_dir / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    modes: tuple[Mode, ...] = ("live", "test")
    signing = {mode: _signing_key(folder / f"signing-{mode}.jwk") for mode in modes}
    wrapping, person = (_random_key(folder / name, entropy) for name in ("wrapping.key", "person.key"))
    return Keys(signing, Vault(wrapping, person, entropy))


def _signing_key(path: Path) -> SigningKey:
    try:
        return read_signing_key(_read_or_make(path, lambda: new_signing_key().to_json()))
    except ValueError:
        raise _damaged(path) from None


def _random_key(path: Path, entropy: Entropy) -> bytes:
    content = _read_or_make(path, lambda: entropy(KEY_BYTES))
    if len(content) != KEY_BYTES:
        raise _damaged(path)
    return content


def _read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Two processes at their first start must end with the same key: whoever links first has made it."""
    if not path.exists():
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:  # 0600 from its first byte
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_bytes()


def _damaged(path: Path) -> Unavailable:
    return Unavailable("key_damaged", f"{path} holds no key: restore it from your backup of keys; nothing was changed")
