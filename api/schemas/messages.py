"""Messages that the service sends to people, as their client may see them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.base import Body


class MessageBody(Body):
    """One message: what for, where to in a masked form, and how far it is."""

    id: str
    kind: Literal["invitation", "reminder", "result"]
    channel: Literal["sms", "email"]
    to_masked: str = Field(description="empty once the person is erased")
    language: Literal["zh", "en"]
    state: Literal["waiting", "queued", "sent", "undeliverable", "cancelled"] = Field(
        description="`waiting`: for the identity to be used; `sent`: accepted by the gateway or mail server"
    )
    reason: str | None = Field(default=None, description="why it is not sent, or the latest attempt was not accepted")
    attempts: int
    due_at: datetime | None = Field(default=None, description="when it is tried next, while it is queued")
    sent_at: datetime | None = None
