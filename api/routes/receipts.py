"""Receipts: what a redemption left."""

from fastapi import APIRouter

from api.dependencies import CallingClient, ServicesNow
from api.schemas.receipts import ReceiptBody, receipt_body

router = APIRouter(prefix="/v1/receipts", tags=["tokens"])


@router.get("/{receipt_id}")
async def get_receipt(receipt_id: str, client: CallingClient, services: ServicesNow) -> ReceiptBody:
    """The receipt of a redemption by the calling client, for its archive; the same text every time."""
    return receipt_body(await services.redemptions.receipt(client, receipt_id))
