"""Bodies of webhooks and their deliveries."""

from datetime import datetime

from pydantic import ConfigDict, Field

from api.schemas.base import EXAMPLE_TIME, Body

_URL = "https://registry.example/heyan"
_ENDPOINT = "whk_k3v9x2m7q4t8w6z1"
_NOTICE = "evt_k3v9x2m7q4t8w6z1_7_0"


class NewWebhookBody(Body):
    """Where notices go. Without `types` all of them do; docs/webhooks.md lists them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": _URL, "types": ["case.completed", "subject.verified"]}]}
    )

    url: str = Field(max_length=2000, description="https; it must lead to public addresses only")
    types: tuple[str, ...] = Field(default=(), max_length=50)


class WebhookBody(Body):
    """A registered webhook."""

    id: str
    url: str
    types: tuple[str, ...] = Field(description="none: all")
    state: str = Field(description="`enabled`, or `disabled` once it answered 410")
    created_at: datetime


class WebhookSecretBody(WebhookBody):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(description="`whsec_…`, as libraries of Standard Webhooks take it")


class WebhooksBody(Body):
    """All webhooks of the calling client."""

    webhooks: tuple[WebhookBody, ...]


class AttemptBody(Body):
    """One POST of a delivery."""

    at: datetime
    seconds: float
    status: int | None = Field(description="of the answer, if there was one")
    error: str | None = Field(description="`refused` (address not allowed), `unreachable` or `timeout`")


class DeliveryBody(Body):
    """A notice on its way."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "dlv_0f5c1b2a3d4e5f60718293a4",
                    "notice": _NOTICE,
                    "type": "case.completed",
                    "state": "pending",
                    "attempts": 1,
                    "next_at": EXAMPLE_TIME,
                    "last": {"at": EXAMPLE_TIME, "seconds": 0.2, "status": 500, "error": None},
                }
            ]
        }
    )

    id: str
    notice: str = Field(description="as in the header `webhook-id`")
    type: str
    state: str = Field(
        description="`pending`, `delivered`, `failed` (tried for three days) or `dropped` (webhook gone)"
    )
    attempts: int
    next_at: datetime | None
    last: AttemptBody | None


class DeliveriesBody(Body):
    """The newest deliveries, newest first; they are kept for 30 days."""

    deliveries: tuple[DeliveryBody, ...]
