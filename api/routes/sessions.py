"""Live sessions: opening one, and how it stands."""

from typing import Annotated

from fastapi import APIRouter, Header, status

from api.dependencies import Grant, ServicesNow, SessionSecret
from api.messages import SUBPROTOCOL
from api.schemas.sessions import OpenedSessionBody, SessionStateBody

Device = Annotated[
    str | None,
    Header(
        alias="Heyan-Device",
        description="22 to 64 letters, digits, - or _: a random name that the phone's page keeps; after several"
        " rejections on one device its next attempts are delayed",
    ),
]

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def open_session(grant: Grant, services: ServicesNow, device: Device = None) -> OpenedSessionBody:
    """Open a live session with a capture grant; it must be claimed over its WebSocket within three minutes.

    Where the service has as much work as it takes: 503 `overloaded` with `Retry-After`, and no attempt is taken; nor
    where networks that run elsewhere do not answer: 503 `engine_unavailable`. A
    session that was opened has its place if it is claimed within 10 seconds, on the same replica.
    """
    admission = services.live.admission
    admission.admit()
    try:
        await services.engine_watch.require()
        opened = await services.sessions.open(grant, device=device)
    except BaseException:
        admission.release()
        raise
    admission.promise(opened.session_id)
    return OpenedSessionBody(
        session_id=opened.session_id,
        session_secret=opened.secret,
        stream=f"/v1/sessions/{opened.session_id}/stream",
        protocol=SUBPROTOCOL,
        expires_at=opened.expires_at,
        attempts_left=opened.attempts_left,
    )


@router.get("/{session_id}")
async def session_state(session_id: str, secret: SessionSecret, services: ServicesNow) -> SessionStateBody:
    """How a session stands, with its secret: for a phone whose connection dropped before the result."""
    found = await services.sessions.get(session_id, secret)
    return SessionStateBody(
        session_id=session_id,
        state=found.state,
        outcome=found.outcome,
        reason=found.reason,
        attempts_left=found.attempts_left,
    )
