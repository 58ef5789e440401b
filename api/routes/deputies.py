"""Deputies: who is appointed to act for whom."""

from datetime import UTC, datetime

from fastapi import APIRouter, status

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.rosters import id_document
from api.schemas.deputies import AppointmentBody, IdentityBody, KnownBody, NewAppointmentBody
from verify.deputies import Appointment, Identity, Known, NewAppointment

router = APIRouter(prefix="/v1/deputies", tags=["cases"], route_class=ClientRoute)


@router.post("", status_code=status.HTTP_201_CREATED)
async def appoint_deputy(body: NewAppointmentBody, client: CallingClient, services: ServicesNow) -> AppointmentBody:
    """Record an appointment. The client vouches for it, as for a roster; the deputy verifies with their own face."""
    new = NewAppointment(
        deputy=_identity(body.deputy),
        principal=_identity(body.principal),
        actions=body.actions,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
    )
    return _appointment_body(await services.cases.deputies.appoint(client, new))


@router.get("/{appointment_id}")
async def get_appointment(appointment_id: str, client: CallingClient, services: ServicesNow) -> AppointmentBody:
    """An appointment of the calling client."""
    return _appointment_body(await services.cases.deputies.get(client, appointment_id))


@router.post("/{appointment_id}/revoke")
async def revoke_appointment(appointment_id: str, client: CallingClient, services: ServicesNow) -> AppointmentBody:
    """End an appointment, for good and at once: nothing that the deputy has verified can be redeemed any more."""
    return _appointment_body(await services.cases.deputies.revoke(client, appointment_id))


def _identity(body: IdentityBody) -> Identity:
    return Identity(name=body.name, document=id_document(body.id_document))


def _appointment_body(appointment: Appointment) -> AppointmentBody:
    revoked_at = appointment.revoked_at
    return AppointmentBody(
        id=appointment.id,
        deputy=_known_body(appointment.deputy),
        principal=_known_body(appointment.principal),
        actions=appointment.actions,
        valid_from=datetime.fromtimestamp(appointment.valid_from, UTC),
        valid_until=datetime.fromtimestamp(appointment.valid_until, UTC),
        revoked_at=None if revoked_at is None else datetime.fromtimestamp(revoked_at, UTC),
    )


def _known_body(known: Known) -> KnownBody:
    return KnownBody(name_masked=known.name_masked, id_masked=known.id_masked)
