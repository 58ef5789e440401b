"""Bodies of receipts."""

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.base import EXAMPLE_CASE, EXAMPLE_HASH, EXAMPLE_SUBJECT, Body
from verify.redemption import SignedReceipt

_EXAMPLE: JsonDict = {
    "id": "rcp_k3v9x2m7q4t8w6z1_p5r7t9v1a3c5e7g2",
    "receipt": "eyJ…",
    "claims": {
        "iss": "heyan",
        "case": EXAMPLE_CASE,
        "subject": EXAMPLE_SUBJECT,
        "action": "capital.increase",
        "role": "shareholder",
        "document_sha256": EXAMPLE_HASH,
        "capture": "unattested",
    },
}


class ReceiptBody(Body):
    """A receipt. Keep `receipt`: it can be checked offline, for years, with the published keys."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    receipt: str = Field(description="compact JWS (Ed25519), type `heyan-receipt+jwt`")
    claims: dict[str, str | int] = Field(description="what the receipt says, readable")


class ReceiptsBody(Body):
    """The receipts of people who were redeemed together."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"receipts": [_EXAMPLE]}]})

    receipts: tuple[ReceiptBody, ...]


def receipt_body(receipt: SignedReceipt) -> ReceiptBody:
    """What goes over the wire for a receipt."""
    return ReceiptBody(id=receipt.id, receipt=receipt.receipt, claims=dict(receipt.claims))
