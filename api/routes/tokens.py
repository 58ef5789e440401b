"""Tokens: minting one from a verification, redeeming it, and the keys that it is signed with."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.metrics import Metrics
from api.schemas.receipts import ReceiptBody, ReceiptsBody, receipt_body
from api.schemas.tokens import (
    IntrospectionBody,
    IntrospectToken,
    MintedTokenBody,
    RedeemCase,
    RedeemToken,
    introspection_body,
)
from verify.errors import VerifyError
from verify.redemption import Restated

router = APIRouter(tags=["tokens"], route_class=ClientRoute)

looking = APIRouter()
"""What changes nothing is answered anew each time: a kept answer would call a token active that is redeemed by now."""

JWKS_SECONDS = 300
"""Half of the time that a new key is published before it signs (`verify.signing.PUBLISH_SECONDS`)."""

FORM_TYPE = "application/x-www-form-urlencoded"
FORM = {"requestBody": {"required": True, "content": {FORM_TYPE: {"schema": IntrospectToken.model_json_schema()}}}}
"""RFC 7662 asks with a form; everything else of this API is JSON."""


@router.post("/v1/cases/{case_id}/subjects/{subject_id}/tokens", status_code=status.HTTP_201_CREATED)
async def mint_token(case_id: str, subject_id: str, client: CallingClient, services: ServicesNow) -> MintedTokenBody:
    """A one-time token for a verified person, for ten minutes; an earlier one that was not redeemed is cancelled.

    For a person who is redeemed: 409 `token_already_redeemed`, with `receipt_id` for the client that redeemed.
    """
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
    with counted(services.metrics), services.metrics.stage("redeem"):
        return receipt_body(await services.redemptions.redeem(client, body.token, restated))


@router.post("/v1/cases/{case_id}/redeem")
async def redeem_case(case_id: str, body: RedeemCase, client: CallingClient, services: ServicesNow) -> ReceiptsBody:
    """Redeem the tokens of several people of a case: all or none, and only if the case's rule holds.

    Repeated after a lost answer: 409 `token_already_redeemed` with `receipt_ids`, in the order of the tokens.
    """
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
    with counted(services.metrics), services.metrics.stage("redeem"):
        receipts = await services.redemptions.redeem_case(client, case_id, presented)
    return ReceiptsBody(receipts=tuple(receipt_body(receipt) for receipt in receipts))


@looking.post("/v1/tokens/introspect", openapi_extra=FORM, response_model_exclude_none=True)
async def introspect_token(request: Request, client: CallingClient, services: ServicesNow) -> IntrospectionBody:
    """Could the calling client redeem this token now (RFC 7662)? Takes a form, consumes nothing.

    A token that is redeemed, cancelled, expired, of another client or none at all is `active: false` and nothing more.
    """
    claims = await services.redemptions.introspect(client, await token_of_form(request))
    return introspection_body(claims)


router.include_router(looking)


@router.get("/.well-known/jwks.json", response_model=dict[str, Any])
async def jwks(services: ServicesNow, request: Request) -> Response:
    """Public keys of tokens, receipts and checkpoints (RFC 7517), retired ones too. May be kept for five minutes.

    Test mode's are under `/.well-known/test/jwks.json`.
    """
    return cached(services.tokens.jwks(), request)


@router.get("/.well-known/test/jwks.json", response_model=dict[str, Any])
async def test_jwks(services: ServicesNow, request: Request) -> Response:
    """Public keys of test mode. A verifier of real filings must not know them."""
    return cached(services.tokens.test_jwks(), request)


def cached(content: dict[str, Any], request: Request) -> Response:
    """An answer that may be kept for a while, and is not sent again to those who have it (RFC 9110, 13.1.2)."""
    answer = JSONResponse(content)
    answer.headers["cache-control"] = f"public, max-age={JWKS_SECONDS}"
    answer.headers["etag"] = f'"{sha256(answer.body).hexdigest()[:32]}"'
    held = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if held & {answer.headers["etag"], "*"}:
        kept = {name: answer.headers[name] for name in ("cache-control", "etag")}
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=kept)
    return answer


@contextmanager
def counted(metrics: Metrics) -> Iterator[None]:
    """Count a redemption by its result."""
    try:
        yield
    except VerifyError as error:
        metrics.redemptions.labels(result=error.code).inc()
        raise
    metrics.redemptions.labels(result="redeemed").inc()


async def token_of_form(request: Request) -> str:
    """The one `token` of a form; its hint and unknown parameters are passed over, as RFC 7662 (2.1) has it."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE)
    try:
        given = parse_qs((await request.body()).decode("ascii"), strict_parsing=True, max_num_fields=10)
        return IntrospectToken.model_validate({"token": _only(given["token"])}).token
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    except (ValueError, KeyError):
        problem = {"type": "missing", "loc": ("body", "token"), "msg": "the form needs exactly one 'token'"}
        raise RequestValidationError([problem]) from None


def _only(values: list[str]) -> str:
    (value,) = values
    return value
