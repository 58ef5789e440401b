"""The WebSocket of a live session."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from time import monotonic

from fastapi import APIRouter, WebSocket

from api.composition import Services
from api.errors import OverloadedError
from api.live_sessions import RunningSession
from api.messages import ClaimMessage, Message, result_message
from api.stream import CaptureConnection
from verify.evidence import Evidence
from verify.fraud import Traces
from verify.fraud_window import Recollection
from verify.live import LiveSession
from verify.sessions import Claim

router = APIRouter()


@router.websocket("/v1/sessions/{session_id}/stream")
async def stream(socket: WebSocket, session_id: str) -> None:
    """One live session; docs/stream.md describes the protocol."""
    services: Services = socket.app.state.services

    async def claim(message: ClaimMessage) -> RunningSession:
        return await start_session(services, session_id=session_id, message=message, address=address_of(socket))

    connection = CaptureConnection(socket, max_frame_bytes=services.settings.max_frame_bytes)
    await connection.serve(session_id=session_id, live=services.live, claim=claim)


async def start_session(
    services: Services, *, session_id: str, message: ClaimMessage, address: str | None
) -> RunningSession:
    """Take the place that was promised, burn the challenge if the models answer, and only then run one."""
    await enter(services, session_id=session_id, secret=message.secret)
    try:
        await services.engine_watch.require()
        with services.metrics.stage("claim"):
            claim = await services.sessions.claim(session_id, message.secret, message.accommodation)
        attempt = LiveSession(
            engine=services.engine,
            challenge=claim.challenge,
            reference=claim.reference,
            policy=services.policy,
            started_at=monotonic(),
        )
    except BaseException:
        services.live.admission.release()
        raise
    conclusion = RecordedConclusion(services, claim, traces=lambda: replace(attempt.traces(), address=address))
    return services.live.start(session_id=session_id, attempt=attempt, conclusion=conclusion)


async def enter(services: Services, *, session_id: str, secret: str) -> None:
    """Take a place. Whoever is refused one for a session that could not be claimed either is told that: to try again
    later would not help."""
    try:
        services.live.admission.enter(session_id)
    except OverloadedError:
        await services.sessions.check_claimable(session_id, secret)
        raise


def address_of(socket: WebSocket) -> str | None:
    """The IP address at the other end; None where there is none, as on a Unix socket."""
    try:
        return str(ip_address(socket.client.host)) if socket.client else None
    except ValueError:
        return None


@dataclass(slots=True)
class RecordedConclusion:
    """Decides on the evidence, records the outcome, and says what the phone is told."""

    services: Services
    claim: Claim
    traces: Callable[[], Traces]
    _recalled: Recollection | None = field(default=None, init=False)

    async def prepare(self) -> None:
        """Read what the session will be compared with."""
        self._recalled = await self.services.sessions.recall(self.claim)

    async def conclude(self, evidence: Evidence) -> Message:
        """Raises as `verify.sessions.Sessions.finish`."""
        services, session_id = self.services, self.claim.session_id
        recalled, self._recalled = self._recalled, None
        result = await services.sessions.finish(self.claim, evidence, self.traces(), recalled=recalled)
        for sign in result.signs:
            services.metrics.fraud_signs.labels(sign=sign.name, does=sign.does).inc()
        services.metrics.sessions.labels(outcome=result.outcome).inc()
        services.metrics.traces.note(session_id=session_id, outcome=result.outcome)
        services.log.info("session_finished", session_id=session_id, outcome=result.outcome)
        return result_message(outcome=result.outcome, reason=result.reason, attempts_left=result.attempts_left)
