"""Encryption at rest: AES-256-GCM (NIST SP 800-38D) under a key of the case, wrapped by a key outside the store.

Erasing a case's wrapped key erases what it protects, also in append-only files and backups. Associated data bind each
content to its case and place, so that nothing can be moved to another person.
"""

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from verify.errors import Unavailable
from verify.identifiers import Entropy

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random nonces of 96 bits: a case key seals far fewer than 2^32 contents (SP 800-38D, 8.3)."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals contents of cases. `wrapping_key` and `person_key` (32 bytes each) live outside store and backups."""

    wrapping_key: bytes
    person_key: bytes
    entropy: Entropy

    def new_case_key(self, case_id: str) -> bytes:
        """A fresh key for a case, wrapped."""
        return self._seal(self.wrapping_key, self.entropy(KEY_BYTES), ("case-key", case_id))

    def seal(self, content: bytes, *, case_id: str, wrapped_key: bytes, bound_to: tuple[str, ...]) -> bytes:
        """Encrypt for a case. `bound_to`: what must be the same when it is opened (subject, version, contract)."""
        return self._seal(self._unwrap(case_id, wrapped_key), content, (case_id, *bound_to))

    def open(self, sealed: bytes, *, case_id: str, wrapped_key: bytes, bound_to: tuple[str, ...]) -> bytes:
        """Decrypt. Raises Unavailable `key_damaged` if key, content or what it is bound to is not the same."""
        return _open(self._unwrap(case_id, wrapped_key), sealed, (case_id, *bound_to))

    def person_hash(self, id_type: str, number: str) -> str:
        """Keyed hash (HMAC-SHA256, RFC 2104) of an ID number: equal for the same person, useless without the key."""
        message = json.dumps([id_type, number.strip().upper()], ensure_ascii=False).encode()
        return hmac.new(self.person_key, message, sha256).hexdigest()

    def _unwrap(self, case_id: str, wrapped_key: bytes) -> bytes:
        return _open(self.wrapping_key, wrapped_key, ("case-key", case_id))

    def _seal(self, key: bytes, content: bytes, bound_to: tuple[str, ...]) -> bytes:
        nonce = self.entropy(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, content, _associated(bound_to))


def _open(key: bytes, sealed: bytes, bound_to: tuple[str, ...]) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _associated(bound_to))
    except (InvalidTag, ValueError):
        message = "encrypted content cannot be opened: another wrapping key, or content that was changed or moved"
        raise Unavailable("key_damaged", message) from None


def _associated(parts: tuple[str, ...]) -> bytes:
    """Unambiguous: a JSON list, not a joined string."""
    return json.dumps(list(parts), ensure_ascii=False).encode()
