"""Bodies of live sessions."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import EXAMPLE_SESSION, EXAMPLE_TIME, Body
from verify.casefile import SessionState


class OpenedSessionBody(Body):
    """A session to be claimed over its WebSocket within three minutes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": EXAMPLE_SESSION,
                    "session_secret": "Zm9v…",
                    "stream": f"/v1/sessions/{EXAMPLE_SESSION}/stream",
                    "protocol": "heyan.capture.v1",
                    "expires_at": EXAMPLE_TIME,
                    "attempts_left": 2,
                }
            ]
        }
    )

    session_id: str
    session_secret: str
    stream: str = Field(description="path of the WebSocket; see docs/stream.md")
    protocol: str
    expires_at: datetime
    attempts_left: int


class SessionStateBody(Body):
    """How a session stands, for a phone whose connection dropped before the result."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": EXAMPLE_SESSION,
                    "state": "finished",
                    "outcome": "rejected",
                    "reason": "not_verified",
                    "attempts_left": 1,
                }
            ]
        }
    )

    session_id: str
    state: SessionState | Literal["expired"]
    outcome: str | None = Field(description="`accepted`, `retry`, `rejected`, `referred`; null before the end")
    reason: str | None
    attempts_left: int
