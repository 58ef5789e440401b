"""Cases: opening one with its roster, looking at it, cancelling it, inviting its people."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.preconditions import entity_tag, not_modified
from api.schemas.cases import CancelCase, CaseBody, CasesBody, NewCaseBody, NewSubjectBody, RuleBody, SubjectBody
from api.schemas.invites import IssuedInviteBody
from verify.casefile import CaseState, Rule, Subject
from verify.cases import CaseView, NewCase, NewSubject
from verify.standing import Standing

router = APIRouter(prefix="/v1/cases", tags=["cases"], route_class=ClientRoute)


@router.post("", status_code=status.HTTP_201_CREATED)
async def open_case(body: NewCaseBody, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Open a case. Photos are checked for format and size only; they become templates once their people consent."""
    return _case_body(await services.cases.open(client, _new_case(body)))


@router.get("")
async def list_cases(
    client: CallingClient,
    services: ServicesNow,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    state: Annotated[CaseState | None, Query(description="only cases in this state")] = None,
) -> CasesBody:
    """The calling client's cases, newest first. A page may hold fewer than `limit`: go on while there is a cursor."""
    page = await services.case_list.page(client, cursor=cursor, limit=limit, state=state)
    return CasesBody(cases=tuple(_case_body(view) for view in page.views), next_cursor=page.next_cursor)


@router.get("/{case_id}", response_model=CaseBody)
async def get_case(
    case_id: str, client: CallingClient, services: ServicesNow, request: Request, response: Response
) -> CaseBody | Response:
    """A case of the calling client, and how far its people are. `ETag` names this version; 304 if it is known."""
    view = await services.cases.get(client, case_id)
    response.headers["etag"] = tag = entity_tag(view)
    return not_modified(request, tag) or _case_body(view)


@router.post("/{case_id}/cancel")
async def cancel_case(case_id: str, body: CancelCase, client: CallingClient, services: ServicesNow) -> CaseBody:
    """Cancel an open case; what was verified for it is void."""
    return _case_body(await services.cases.cancel(client, case_id, body.reason))


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


def _new_case(body: NewCaseBody) -> NewCase:
    return NewCase(
        action=body.action,
        document_sha256=body.document_sha256,
        subjects=tuple(_new_subject(subject) for subject in body.subjects),
        rule=Rule(kind=body.rule.kind, k=body.rule.k),
        external_id=body.external_id,
        deadline=body.deadline,
    )


def _new_subject(body: NewSubjectBody) -> NewSubject:
    return NewSubject(
        name=body.name,
        role=body.role,
        id_type=body.id_document.type,
        id_number=body.id_document.number,
        photo=body.reference.photo,
        provenance=body.reference.provenance,
    )


def _case_body(view: CaseView) -> CaseBody:
    case = view.file.case
    return CaseBody(
        id=case.id,
        state=view.state.value,
        mode=case.mode,
        action=case.action,
        document_sha256=case.document_sha256,
        external_id=case.external_id,
        roster_version=case.roster_version,
        rule=RuleBody(kind=case.rule.kind, k=case.rule.k),
        reason=case.reason,
        opened_at=datetime.fromtimestamp(case.opened_at, UTC),
        deadline=datetime.fromtimestamp(case.deadline, UTC),
        subjects=tuple(_subject_body(each, view.standings[each.id]) for each in view.file.subjects.values()),
    )


def _subject_body(subject: Subject, standing: Standing) -> SubjectBody:
    return SubjectBody(
        id=subject.id,
        role=subject.role,
        name_masked=subject.name_masked,
        id_masked=subject.id_masked,
        provenance=subject.provenance,
        reference_state=subject.reference_state.value,
        reference_reason=subject.reference_reason,
        state=standing.value,
    )
