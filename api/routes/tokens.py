"""Tokens: minting one from a verification, redeeming it, and the keys that it is signed with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, status

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.metrics import Metrics
from api.schemas.receipts import ReceiptBody, ReceiptsBody, receipt_body
from api.schemas.tokens import MintedTokenBody, RedeemCase, RedeemToken
from verify.errors import VerifyError
from verify.redemption import Restated

router = APIRouter(tags=["tokens"], route_class=ClientRoute)


@router.post("/v1/cases/{case_id}/subjects/{subject_id}/tokens", status_code=status.HTTP_201_CREATED)
async def mint_token(case_id: str, subject_id: str, client: CallingClient, services: ServicesNow) -> MintedTokenBody:
    """A one-time token for a verified person, for ten minutes; an earlier one that was not redeemed is cancelled."""
    minted = await services.tokens.mint(client, case_id, subject_id)
    return MintedTokenBody(token=minted.token, expires_at=minted.expires_at)


@router.post("/v1/tokens/redeem")
async def redeem_token(body: RedeemToken, client: CallingClient, services: ServicesNow) -> ReceiptBody:
    """Redeem a token, once. A restated field that differs is refused and burns nothing.

    A repeated redemption is refused with 409 `token_already_redeemed`; the client that redeemed gets `receipt_id` with
    it, so that a lost answer loses nothing.
    """
    restated = Restated(
        case=body.case_id,
        subject=body.subject_id,
        action=body.action,
        role=body.role,
        roster_version=body.roster_version,
        document_sha256=body.document_sha256,
    )
    with counted(services.metrics):
        return receipt_body(await services.redemptions.redeem(client, body.token, restated))


@router.post("/v1/cases/{case_id}/redeem")
async def redeem_case(case_id: str, body: RedeemCase, client: CallingClient, services: ServicesNow) -> ReceiptsBody:
    """Redeem the tokens of several people of a case: all or none, and only if the case's rule holds."""
    presented = tuple(
        (
            each.token,
            Restated(
                case=case_id,
                subject=each.subject_id,
                action=body.action,
                role=each.role,
                roster_version=body.roster_version,
                document_sha256=body.document_sha256,
            ),
        )
        for each in body.tokens
    )
    with counted(services.metrics):
        receipts = await services.redemptions.redeem_case(client, case_id, presented)
    return ReceiptsBody(receipts=tuple(receipt_body(receipt) for receipt in receipts))


@router.get("/.well-known/jwks.json")
async def jwks(services: ServicesNow) -> dict[str, Any]:
    """Public keys of tokens and receipts (RFC 7517). Test mode's are under `/.well-known/test/jwks.json`."""
    return services.tokens.jwks()


@router.get("/.well-known/test/jwks.json")
async def test_jwks(services: ServicesNow) -> dict[str, Any]:
    """Public keys of test mode. A verifier of real filings must not know them."""
    return services.tokens.test_jwks()


@contextmanager
def counted(metrics: Metrics) -> Iterator[None]:
    """Count a redemption by its result."""
    try:
        yield
    except VerifyError as error:
        metrics.redemptions.labels(result=error.code).inc()
        raise
    metrics.redemptions.labels(result="redeemed").inc()
