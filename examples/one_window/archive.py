"""The archive: a folder for each filing, with all that is needed to check it in ten years, without heyan and us."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from examples.client import Receipt
from examples.one_window.filings import Filing, Kept

KIND = "heyan-receipt+jwt"
ALGORITHM = "Ed25519"


class ReceiptError(Exception):
    """A receipt that proves nothing about this filing: it must not be registered on it."""


def archive(
    folder: Path, filing: Filing, *, receipts: tuple[Receipt, ...], keys: bytes, purpose: str
) -> tuple[Kept, ...]:
    """Write document, keys and receipts down, then check each receipt as it lies there.

    `purpose`: `live`, or `test` for a key of test mode; receipts of the other mode are worth nothing here.

    Raises:
        ReceiptError: one of them is not genuine, or not of this filing.
    """
    place = folder / filing.id
    place.mkdir(parents=True, exist_ok=True)
    (place / "document.txt").write_bytes(filing.document)
    (place / "jwks.json").write_bytes(keys)
    for receipt in receipts:
        (place / f"{receipt.id}.jws").write_text(receipt.text, "ascii")
        check(place / f"{receipt.id}.jws", place / "jwks.json", filing=filing, purpose=purpose)
    return tuple(Kept(id=each.id, file=f"{filing.id}/{each.id}.jws") for each in receipts)


def check(receipt: Path, keys: Path, *, filing: Filing, purpose: str) -> Mapping[str, Any]:
    """The claims of an archived receipt, checked offline: signature, kind, and that it speaks of this filing.

    Raises:
        ReceiptError.
    """
    claims = _claims(receipt.read_text("ascii"), json.loads(keys.read_bytes()), purpose)
    roles = {party.subject_id: party.role for party in filing.parties}
    said = (claims["case"], claims["action"], claims["role"], claims["document_sha256"])
    expected = (filing.case_id, filing.action, roles.get(claims["subject"]), filing.document_sha256)
    if said != expected:
        raise ReceiptError(f"{receipt}: the receipt is of another filing")
    return claims


def _claims(text: str, jwks: Mapping[str, Any], purpose: str) -> Mapping[str, Any]:
    """Only keys for this purpose count, and only receipts: neither tokens nor anything else that heyan signs."""
    ours = {jwk["kid"]: jwk for jwk in jwks["keys"] if jwk.get("heyan_for") == purpose}
    try:
        kid = jws.extract_compact(text.encode()).headers().get("kid")
        if kid not in ours:
            raise ReceiptError("the receipt was signed with a key that is not among those published")
        opened = jws.deserialize_compact(text, OKPKey.import_key(ours[kid]), algorithms=[ALGORITHM])
    except (JoseError, ValueError) as error:
        raise ReceiptError("the receipt was changed, or is none") from error
    if opened.headers().get("typ") != KIND:
        raise ReceiptError("this is no receipt")
    claims: Mapping[str, Any] = json.loads(opened.payload)
    return claims
