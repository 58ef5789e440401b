"""Cases: opening one with its roster, looking at it, cancelling it, inviting its people."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.client_route import ClientRoute
from api.composition import Services
from api.dependencies import CallingClient, ServicesNow
from api.preconditions import TAGGED, entity_tag, not_modified
from api.problems import problem_of
from api.rosters import case_body, case_changes, entry_of, message_body, new_case, wanted
from api.schemas.cases import (
    CancelCase,
    CaseBody,
    CasesBody,
    ChangedCaseBody,
    NewCaseBody,
    NewCasesBody,
    NewEntryBody,
    OpenedCaseBody,
    OpenedCasesBody,
    ReplacedEntryBody,
)
from api.schemas.disputes import DisputeLinkBody
from api.schemas.invites import IssuedInviteBody, NewInviteBody
from verify.casefile import CaseState
from verify.clients import Client
from verify.photos import Allowance

router = APIRouter(prefix="/v1/cases", tags=["cases"], route_class=ClientRoute)

NO_WISHES = NewInviteBody()

ExternalId = Annotated[
    str | None, Query(min_length=1, max_length=200, description="only cases under this number of the client's own")
]


@router.post("", status_code=status.HTTP_201_CREATED)
async def open_case(body: NewCaseBody, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Open a case. Photos are checked for format and size only; they become templates once their people consent."""
    return case_body(await services.cases.open(client, new_case(body)))


@router.post("/batch")
async def open_cases(body: NewCasesBody, client: CallingClient, services: ServicesNow) -> OpenedCasesBody:
    """Open up to 50 cases, one after the other; each succeeds or fails on its own, with its own problem document."""
    allowance = Allowance()
    results = [await _opened(services, client, content, allowance) for content in body.cases]
    return OpenedCasesBody(results=tuple(results))


@router.get("")
async def list_cases(
    client: CallingClient,
    services: ServicesNow,
    *,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    state: Annotated[CaseState | None, Query(description="only cases in this state")] = None,
    external_id: ExternalId = None,
) -> CasesBody:
    """The calling client's cases, newest first. A page may hold fewer than `limit`: go on while there is a cursor."""
    page = await services.case_list.page(client, cursor=cursor, limit=limit, state=state, external_id=external_id)
    return CasesBody(cases=tuple(case_body(view) for view in page.views), next_cursor=page.next_cursor)


@router.get("/{case_id}", response_model=CaseBody, responses=TAGGED)
async def get_case(
    case_id: str, client: CallingClient, services: ServicesNow, request: Request, response: Response
) -> CaseBody | Response:
    """A case of the calling client, and how far its people are. `ETag` names this version; 304 if it is known."""
    view = await services.cases.get(client, case_id)
    response.headers["etag"] = tag = entity_tag(view)
    return not_modified(request, tag) or case_body(view)


@router.patch("/{case_id}")
async def change_case(case_id: str, body: ChangedCaseBody, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Change an open case. Another document or other details revoke everybody's verification, link and token."""
    return case_body(await services.amendments.change(client, case_id, case_changes(body)))


@router.post("/{case_id}/subjects", status_code=status.HTTP_201_CREATED)
async def add_subject(case_id: str, body: NewEntryBody, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Add a person or an organisation to the roster of an open case."""
    return case_body(await services.amendments.add(client, case_id, entry_of(body.root)))


@router.put("/{case_id}/subjects/{subject_id}")
async def replace_subject(
    case_id: str, subject_id: str, body: ReplacedEntryBody, client: CallingClient, services: ServicesNow
) -> CaseBody:
    """Replace an entry of the roster. What differs revokes the verification, link and token of whom it touches."""
    return case_body(await services.amendments.replace(client, case_id, subject_id, entry_of(body.root)))


@router.delete("/{case_id}/subjects/{subject_id}")
async def remove_subject(case_id: str, subject_id: str, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Take a person off the roster, or an organisation with those who sign for it; their data are erased."""
    return case_body(await services.amendments.remove(client, case_id, subject_id))


@router.post("/{case_id}/cancel")
async def cancel_case(case_id: str, body: CancelCase, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Cancel an open case; what was verified for it is void."""
    return case_body(await services.cases.cancel(client, case_id, body.reason))


@router.post("/{case_id}/subjects/{subject_id}/invites", status_code=status.HTTP_201_CREATED)
async def issue_invite(
    case_id: str, subject_id: str, client: CallingClient, services: ServicesNow, body: NewInviteBody = NO_WISHES
) -> IssuedInviteBody:
    """A single-use link for one person, shown this once; an earlier link of that person is revoked.

    With `deliver` the service sends it, reminds of it, and tells the person once their identity was used.
    """
    if body.deliver is None:
        issued = await services.invites.issue(client, case_id, subject_id, return_url=body.return_url)
    else:
        message = wanted(body.deliver)
        issued = await services.messenger.invite(client, case_id, subject_id, message, return_url=body.return_url)
    return IssuedInviteBody(
        code=issued.code,
        url=f"{services.public_url}/#{issued.code}",
        expires_at=issued.expires_at,
        attempts=issued.attempts,
        messages=tuple(message_body(each) for each in issued.messages),
    )


@router.post("/{case_id}/subjects/{subject_id}/dispute-links", status_code=status.HTTP_201_CREATED)
async def issue_dispute_link(
    case_id: str, subject_id: str, client: CallingClient, services: ServicesNow
) -> DisputeLinkBody:
    """A link for the notice that a person gets, by which they can report "this was not me". Shown this once."""
    issued = await services.disputes.issue(client, case_id, subject_id)
    page = services.settings.report_url or f"{services.public_url}/report"
    return DisputeLinkBody(code=issued.code, url=f"{page}#{issued.code}", expires_at=issued.expires_at)


async def _opened(services: Services, client: Client, content: dict[str, Any], allowance: Allowance) -> OpenedCaseBody:
    """One case of a batch. Whatever keeps it from being opened is its own problem document."""
    try:
        new = new_case(NewCaseBody.model_validate(content))
        view = await services.cases.open(client, new, allowance=allowance)
    except ValidationError as error:
        problem = problem_of(RequestValidationError(error.errors()))
    except Exception as error:
        problem = problem_of(error)
    else:
        return OpenedCaseBody(status=status.HTTP_201_CREATED, case=case_body(view))
    services.metrics.problems.labels(code=problem.code).inc()
    return OpenedCaseBody(status=problem.status, problem=problem.document())
