"""The window: officers record that somebody verified in person. The key is an officer's, never a client's."""

from datetime import UTC, datetime

from fastapi import APIRouter, status

from api.dependencies import CallingOfficer, ServicesNow
from api.rosters import id_document
from api.schemas.invites import IntentTextBody
from api.schemas.window import InPersonBody, RecordedBody, WindowBody
from verify.officers import InPerson

router = APIRouter(prefix="/v1/cases", tags=["window"])


@router.get("/{case_id}/subjects/{subject_id}/in_person")
async def inspect_at_window(
    case_id: str, subject_id: str, officer: CallingOfficer, services: ServicesNow
) -> WindowBody:
    """What the person is to confirm, for the officer to read out."""
    view = await services.window.inspect(officer, case_id, subject_id)
    intent = IntentTextBody(zh=view.intent.zh, en=view.intent.en, sha256=view.intent_sha256)
    return WindowBody(action=view.action, role=view.role, name_masked=view.name_masked, intent=intent)


@router.post("/{case_id}/subjects/{subject_id}/in_person", status_code=status.HTTP_201_CREATED)
async def record_in_person(
    case_id: str, subject_id: str, body: InPersonBody, officer: CallingOfficer, services: ServicesNow
) -> RecordedBody:
    """Record a verification made in person: the officer has seen the person, the ID document and the confirmation."""
    given = InPerson(
        reason=body.reason,
        document=id_document(body.id_document),
        intent_sha256=body.intent_sha256,
    )
    made = await services.window.record(officer, case_id, subject_id, given)
    valid_until = datetime.fromtimestamp(made.valid_until, UTC)
    return RecordedBody(verification=made.id, method=made.method, valid_until=valid_until)
