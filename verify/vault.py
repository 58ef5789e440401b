"""Encryption at rest: AES-256-GCM (NIST SP 800-38D) under a key of one person in one case.

That key is derived from two: the case's own, which lies in the store, wrapped by a key outside, and the person's secret
on the shelf, also outside. Taking the secret away erases what it protects, also in append-only files and backups of the
store. Associated data bind each content to its case and place, so that nothing can be moved to another person.
"""

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from verify.errors import Gone, KeyDamaged
from verify.identifiers import Entropy
from verify.shelf import Shelf

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random nonces of 96 bits: a person's key seals far fewer than 2^32 contents (SP 800-38D, 8.3)."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals contents of cases. `wrapping_key` and `person_key` (32 bytes each) and the shelf live outside of the store.

    The first part of what a content is bound to is the id of the person (or thing) whose it is.
    """

    wrapping_key: bytes
    person_key: bytes
    entropy: Entropy
    shelf: Shelf

    def new_case_key(self, case_id: str) -> bytes:
        """A fresh key for a case, wrapped, with a fresh secret on the shelf. Raises Unavailable `key_damaged`."""
        self.shelf.add(case_id, self.entropy(KEY_BYTES))
        return self._seal(self.wrapping_key, self.entropy(KEY_BYTES), ("case-key", case_id))

    def seal(self, content: bytes, *, case_id: str, wrapped_key: bytes, bound_to: tuple[str, ...]) -> bytes:
        """Encrypt for a case. `bound_to`: what must be the same when it is opened (subject, version, contract)."""
        return self._seal(self._key(case_id, wrapped_key, bound_to), content, (case_id, *bound_to))

    def open(self, sealed: bytes, *, case_id: str, wrapped_key: bytes, bound_to: tuple[str, ...]) -> bytes:
        """Decrypt.

        Raises:
            Gone: `content_erased`. Unavailable: `key_damaged` if key, content or what it is bound to is not the same.
        """
        return _open(self._key(case_id, wrapped_key, bound_to), sealed, (case_id, *bound_to))

    def erase(self, case_id: str, subject_id: str | None = None) -> None:
        """Erase all that was and will be sealed for a person, or for all of a case, for good."""
        self.shelf.erase(case_id, subject_id)

    def is_erased(self, case_id: str, subject_id: str) -> bool:
        """Whether nothing of this person can be opened any more. Raises Unavailable `key_damaged`."""
        try:
            self.shelf.secret(case_id, subject_id)
        except Gone:
            return True
        return False

    def person_hash(self, id_type: str, number: str) -> str:
        """Keyed hash (HMAC-SHA256, RFC 2104) of an ID number: equal for the same person, useless without the key."""
        message = json.dumps([id_type, number.strip().upper()], ensure_ascii=False).encode()
        return hmac.new(self.person_key, message, sha256).hexdigest()

    def contact_hash(self, channel: str, mailbox: str) -> str:
        """The same for where a person can be reached (`Contact.mailbox`)."""
        message = json.dumps(["contact", channel, mailbox]).encode()
        return hmac.new(self.person_key, message, sha256).hexdigest()

    def _key(self, case_id: str, wrapped_key: bytes, bound_to: tuple[str, ...]) -> bytes:
        """HKDF-SHA256 (RFC 5869) over the case's key and the person's secret."""
        secret = self.shelf.secret(case_id, bound_to[0])
        info = _associated(("content-key", case_id, bound_to[0]))
        derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info)
        return derivation.derive(self._unwrap(case_id, wrapped_key) + secret)

    def _unwrap(self, case_id: str, wrapped_key: bytes) -> bytes:
        return _open(self.wrapping_key, wrapped_key, ("case-key", case_id))

    def _seal(self, key: bytes, content: bytes, bound_to: tuple[str, ...]) -> bytes:
        nonce = self.entropy(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, content, _associated(bound_to))


def _open(key: bytes, sealed: bytes, bound_to: tuple[str, ...]) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _associated(bound_to))
    except (InvalidTag, ValueError):
        advice = "encrypted content cannot be opened: another wrapping key, or content that was changed or moved"
        raise KeyDamaged(advice) from None


def _associated(parts: tuple[str, ...]) -> bytes:
    """Unambiguous: a JSON list, not a joined string."""
    return json.dumps(list(parts), ensure_ascii=False).encode()
