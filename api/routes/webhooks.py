"""Webhooks: where a client's notices go, and what became of them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.schemas.webhooks import (
    AttemptBody,
    DeliveriesBody,
    DeliveryBody,
    NewWebhookBody,
    WebhookBody,
    WebhooksBody,
    WebhookSecretBody,
)
from verify.deliveries import Attempt, Delivery
from verify.webhooks import Endpoint

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=ClientRoute)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_webhook(body: NewWebhookBody, client: CallingClient, services: ServicesNow) -> WebhookSecretBody:
    """Register a webhook. Its secret is shown this once."""
    url = await services.outbound.check(body.url)
    return _with_secret(*await services.webhooks.create(client, url, body.types))


@router.get("")
async def list_webhooks(client: CallingClient, services: ServicesNow) -> WebhooksBody:
    """The webhooks of the calling client, never their secrets."""
    return WebhooksBody(webhooks=tuple(_body(each) for each in await services.webhooks.list(client)))


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: str, client: CallingClient, services: ServicesNow) -> WebhookBody:
    """One webhook of the calling client."""
    return _body(await services.webhooks.get(client, webhook_id))


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_webhook(webhook_id: str, client: CallingClient, services: ServicesNow) -> Response:
    """Forget a webhook; what was not delivered yet is dropped."""
    await services.webhooks.delete(client, webhook_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/{webhook_id}/rotate")
async def rotate_secret(webhook_id: str, client: CallingClient, services: ServicesNow) -> WebhookSecretBody:
    """A new secret, shown this once; for a day every delivery carries a signature of the old one too."""
    return _with_secret(*await services.webhooks.rotate(client, webhook_id))


@router.post("/{webhook_id}/test", status_code=status.HTTP_202_ACCEPTED)
async def test_webhook(webhook_id: str, client: CallingClient, services: ServicesNow) -> DeliveryBody:
    """Send a notice of type `webhook.test`, whatever types the webhook wants; its delivery tells what came of it."""
    endpoint = await services.webhooks.get(client, webhook_id)
    now = await services.store.now()
    return _delivery(await services.deliveries.add(endpoint, services.webhooks.ping(endpoint, now=now), now=now))


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: str,
    client: CallingClient,
    services: ServicesNow,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> DeliveriesBody:
    """The newest deliveries to a webhook, newest first: attempts, last answer, when it is tried next."""
    endpoint = await services.webhooks.get(client, webhook_id)
    found = await services.deliveries.of(endpoint, limit=limit)
    return DeliveriesBody(deliveries=tuple(_delivery(each) for each in found))


def _body(endpoint: Endpoint) -> WebhookBody:
    return WebhookBody(
        id=endpoint.id,
        url=endpoint.url,
        types=endpoint.types,
        state=endpoint.state,
        created_at=_time(endpoint.created_at),
    )


def _with_secret(endpoint: Endpoint, secret: str) -> WebhookSecretBody:
    return WebhookSecretBody(**_body(endpoint).model_dump(), secret=secret)


def _delivery(delivery: Delivery) -> DeliveryBody:
    return DeliveryBody(
        id=delivery.id,
        notice=delivery.notice.id,
        type=delivery.notice.type,
        state=delivery.state,
        attempts=delivery.attempts,
        next_at=None if delivery.next_at is None else _time(delivery.next_at),
        last=None if delivery.last is None else _attempt(delivery.last),
    )


def _attempt(attempt: Attempt) -> AttemptBody:
    return AttemptBody(
        at=_time(attempt.at), seconds=round(attempt.seconds, 3), status=attempt.status, error=attempt.error
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
