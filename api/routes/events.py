"""The events of a case as they come."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import CallingClient, ServicesNow

router = APIRouter(prefix="/v1/cases", tags=["cases"])


async def _start(
    case_id: str,
    client: CallingClient,
    services: ServicesNow,
    last_event_id: Annotated[str | None, Header(description="continue after this event")] = None,
) -> AsyncIterator[int]:
    """Everything that may be refused, before the stream begins; its place is held until it has ended."""
    with services.watching.places.one():
        yield await services.watching.start(client, case_id, last_event_id)


@router.get("/{case_id}/events", response_class=EventSourceResponse)
async def case_events(
    case_id: str, services: ServicesNow, start: Annotated[int, Depends(_start)]
) -> AsyncIterator[ServerSentEvent]:
    """What happens to a case, as server-sent events: what is known, then each as it comes, until the case has ended.

    A comment comes every 15 seconds. Continue with `Last-Event-ID` after a break; the events are those of webhooks.
    """
    async for notice in services.watching.follow(case_id, start=start):
        yield ServerSentEvent(raw_data=notice.payload().decode(), event=notice.type, id=notice.id)
