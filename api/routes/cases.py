"""Cases: opening one with its roster, looking at it, cancelling it, inviting its people."""

from fastapi import APIRouter, status

from api.dependencies import CallingClient, ServicesNow
from api.rosters import case_body, new_case
from api.schemas.cases import CancelCase, CaseBody, NewCaseBody
from api.schemas.invites import IssuedInviteBody

router = APIRouter(prefix="/v1/cases", tags=["cases"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def open_case(body: NewCaseBody, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Open a case. Photos are checked for format and size only; they become templates once their people consent."""
    return case_body(await services.cases.open(client, new_case(body)))


@router.get("/{case_id}")
async def get_case(case_id: str, client: CallingClient, services: ServicesNow) -> CaseBody:
    """A case of the calling client, and how far its people are."""
    return case_body(await services.cases.get(client, case_id))


@router.post("/{case_id}/cancel")
async def cancel_case(case_id: str, body: CancelCase, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Cancel an open case; what was verified for it is void."""
    return case_body(await services.cases.cancel(client, case_id, body.reason))


@router.post("/{case_id}/subjects/{subject_id}/invites", status_code=status.HTTP_201_CREATED)
async def issue_invite(case_id: str, subject_id: str, client: CallingClient, services: ServicesNow) -> IssuedInviteBody:
    """A single-use link for one person; an earlier link of that person is revoked. Shown this once."""
    issued = await services.invites.issue(client, case_id, subject_id)
    return IssuedInviteBody(
        code=issued.code,
        url=f"{services.public_url}/#{issued.code}",
        expires_at=issued.expires_at,
        attempts=issued.attempts,
    )
