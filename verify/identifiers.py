"""Identifiers and secrets. Randomness comes in as a function (`secrets.token_bytes` in service).

What belongs to a case carries the case's own random part, so that no index over all cases is needed:

    case      case_<16>                 <16>: 80 random bits in the alphabet of base 32 (RFC 4648), lower case
    session   ses_<16>_<16>
    receipt   rcp_<16>_<16>
    invite    <16>.<16>.<secret>        the code in the link; grants have the same form
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from re import fullmatch

Entropy = Callable[[int], bytes]
"""Gives that many random bytes, fit for secrets."""

PART_CHARACTERS = 16
SECRET_BYTES = 32

FORM_OF_32_BYTES = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
"""32 bytes in base64url without padding."""

_PART = "[a-z2-7]{16}"
_OF_BYTE = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""The character of each byte: every one stands for eight of them."""


def new_part(entropy: Entropy) -> str:
    """80 random bits, 16 characters."""
    return entropy(PART_CHARACTERS).translate(_OF_BYTE).decode()


def new_secret(entropy: Entropy) -> str:
    """256 random bits, 43 characters of base64url."""
    return urlsafe_b64encode(entropy(SECRET_BYTES)).decode().rstrip("=")


def is_secret(text: str) -> bool:
    """Whether this is how 32 bytes are written: of the last character only four bits count, the others are zero."""
    return fullmatch(FORM_OF_32_BYTES, text) is not None


def hash_secret(secret: str) -> str:
    """SHA-256, hexadecimal: enough for secrets of 256 random bits, and all that is stored of them."""
    return sha256(secret.encode()).hexdigest()


def secret_matches(secret: str, stored_hash: str | None) -> bool:
    """Compared in constant time; a missing hash matches nothing."""
    return compare_digest(hash_secret(secret), stored_hash or "") and stored_hash is not None


def case_of(identifier: str) -> str | None:
    """The case id that a case's, session's or receipt's id belongs to; None if it is no such id."""
    match = fullmatch(f"(?:case|ses|rcp)_({_PART})(?:_{_PART})?", identifier)
    return f"case_{match.group(1)}" if match else None


def part_of(case_id: str) -> str:
    """The random part of a case id."""
    return case_id.removeprefix("case_")


def link_code(case_id: str, part: str, secret: str) -> str:
    """The code of an invite or a grant."""
    return f"{part_of(case_id)}.{part}.{secret}"


def parse_code(code: str) -> tuple[str, str, str] | None:
    """Case id, invite id and secret of a code; None if it has another form."""
    match = fullmatch(rf"({_PART})\.({_PART})\.([A-Za-z0-9_-]{{43}})", code)
    return (f"case_{match.group(1)}", match.group(2), match.group(3)) if match else None
