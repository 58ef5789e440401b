"""Reports of "this was not me". No API key: the code in the link is the credential. GET changes nothing anywhere."""

from fastapi import APIRouter

from api.dependencies import ServicesNow
from api.schemas.disputes import DisputeBody, DisputeCode, DisputedIntentBody
from verify.disputes import DisputeView

router = APIRouter(prefix="/v1/disputes", tags=["disputes"])


@router.post("/inspect")
async def inspect_dispute(body: DisputeCode, services: ServicesNow) -> DisputeBody:
    """What was done in the person's name. Burns nothing and may be asked any number of times."""
    return _dispute_body(await services.disputes.inspect(body.code))


@router.post("")
async def report_dispute(body: DisputeCode, services: ServicesNow) -> DisputeBody:
    """Report that it was not this person: what is not redeemed is void, and the client is told. May be repeated."""
    return _dispute_body(await services.disputes.report(body.code))


def _dispute_body(view: DisputeView) -> DisputeBody:
    return DisputeBody(
        requester=view.requester,
        action=view.action,
        role=view.role,
        name_masked=view.name_masked,
        intent=DisputedIntentBody(zh=view.intent.zh, en=view.intent.en),
        verified_at=view.verified_at,
        disputed_at=view.disputed_at,
        expires_at=view.expires_at,
    )
