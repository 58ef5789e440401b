"""Receipts: what an archive keeps of a redemption, and how anybody checks one offline."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from verify.errors import Invalid
from verify.jose import BOTH_NAMES, SignatureInvalidError, VerifyingKey, verify

RECEIPT_KIND = "heyan-receipt+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptClaims:
    """What every receipt says. Later versions may say more, never less."""

    iss: str
    """The service; in test mode it ends with `/test`."""
    aud: str
    """Id of the client that redeemed."""
    jti: str
    """Id of the receipt."""
    iat: int
    """When it was redeemed: Unix seconds by the store's clock."""
    token: str
    """Id of the token."""
    case: str
    subject: str
    verification: str
    action: str
    role: str
    on_behalf_of: str
    """`self`, `organisation:<credit code>` or `deputy:<appointment>`."""
    roster_version: int
    document_sha256: str
    intent_sha256: str
    provenance: str
    method: str
    capture: str
    policy: str
    epoch: int
    audit_entries: int
    """How many audit entries the case had before the redemption, which is therefore the entry of this number."""
    audit_head: str
    """Head of the case's audit chain before the redemption."""
    checkpoint: int
    """Number of the newest checkpoint when it was redeemed; 0 if there was none yet."""
    checkpoint_size: int
    checkpoint_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReceipt:
    """A receipt that is good: what it says, in which mode, and under which key."""

    claims: ReceiptClaims
    mode: str
    kid: str


def check_receipt(text: str, *, expected_keys: Iterable[VerifyingKey], allow_test: bool = False) -> CheckedReceipt:
    """Check a receipt with published keys alone: no service, no network, no clock.

    Raises:
        Invalid: `receipt_invalid` for another form, type, key or signature; `receipt_incomplete` if it lacks a claim;
            `receipt_of_test_mode` unless that is allowed.
    """
    keys = [key for key in expected_keys if key.purpose in {"live", "test"}]
    try:
        content, key = verify(text, expected_keys=keys, expected_kind=RECEIPT_KIND, algorithms=BOTH_NAMES)
    except SignatureInvalidError:
        message = "no key of this set has signed this text as a receipt: it was changed, or is another service's"
        raise Invalid("receipt_invalid", message) from None
    try:
        claims = msgspec.convert(content, ReceiptClaims, strict=True)
    except msgspec.ValidationError as error:
        raise Invalid("receipt_incomplete", f"the receipt lacks what a receipt says: {error}") from None
    _check_mode(claims, key, allow_test=allow_test)
    return CheckedReceipt(claims=claims, mode=key.purpose, kid=key.kid)


def _check_mode(claims: ReceiptClaims, key: VerifyingKey, *, allow_test: bool) -> None:
    """Key and issuer must both say the same mode."""
    is_test = key.purpose == "test"
    if claims.iss.endswith("/test") is not is_test:
        raise Invalid("receipt_invalid", "issuer and key are of different modes")
    if is_test and not allow_test:
        raise Invalid("receipt_of_test_mode", "this receipt is of test mode and proves nothing about a real filing")
