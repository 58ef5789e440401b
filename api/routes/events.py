"""The events of a case as they come."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import CallingClient, CallingKey, ServicesNow
from verify.notices import Notice

router = APIRouter(prefix="/v1/cases", tags=["cases"])


async def _notices(
    case_id: str,
    key: CallingKey,
    client: CallingClient,
    services: ServicesNow,
    last_event_id: Annotated[str | None, Header(description="continue after this event")] = None,
) -> AsyncIterator[AsyncIterator[Notice]]:
    """Everything that may be refused, before the stream begins; its place is held until it has ended."""
    watching = services.watching
    with watching.places.one(client.id):
        start = await watching.start(client, case_id, last_event_id)
        yield watching.follow(case_id, api_key=key, start=start)


@router.get("/{case_id}/events", response_class=EventSourceResponse)
async def case_events(
    notices: Annotated[AsyncIterator[Notice], Depends(_notices)],
) -> AsyncIterator[ServerSentEvent]:
    """What happens to a case, as server-sent events: what is known, then each as it comes, until the case has ended.

    A comment comes every 15 seconds. Continue with `Last-Event-ID` after a break; the events are those of webhooks.
    """
    async for notice in notices:
        yield ServerSentEvent(raw_data=notice.payload().decode(), event=notice.type, id=notice.id)
