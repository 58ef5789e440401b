"""`Idempotency-Key` on the POSTs of a client: what was asked once takes effect once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from time import monotonic

from fastapi import Request, Response

from api.composition import Services
from api.dependencies import api_key, calling_key
from api.errors import IdempotencyPendingError
from api.problems import answer_problem
from verify.errors import StoreUnavailable
from verify.idempotency import Answer, Begun, Running

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"

KEPT_HEADERS = ("content-type", "etag", "location")
"""Headers that belong to an answer; all others are about one exchange."""

POLL_SECONDS = 0.1

Handler = Callable[[Request], Awaitable[Response]]

PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 8, "maxLength": 255},
    "description": "repeat a request with the same key and body, and get the first one's answer for 24 hours",
}


ANSWERED = {
    "headers": {
        "Idempotent-Replayed": {
            "description": "`true` on an answer that the first request with this `Idempotency-Key` got",
            "schema": {"type": "string", "enum": ["true"]},
        }
    }
}
"""What an answer to such a request may carry."""


async def answer_once(request: Request, handle: Handler) -> Response:
    """Run the request, or answer as its first run was answered."""
    if request.method != "POST" or HEADER not in request.headers:
        return await handle(request)
    services: Services = request.app.state.services
    found = await _begin(request, services)
    if isinstance(found, Answer):
        return Response(found.body, found.status, {**found.headers, REPLAYED: "true"})
    response = await _run(request, handle)
    with suppress(StoreUnavailable):  # what was done is done: its answer must reach the client all the same
        await _conclude(services, found, response)
    return response


async def _conclude(services: Services, begun: Begun, response: Response) -> None:
    if _is_final(response.status_code):
        await services.answers.keep(begun, _answer_of(response))
    else:
        await services.answers.release(begun)


async def _begin(request: Request, services: Services) -> Begun | Answer:
    """Begin, or wait a while for the first run to end. Raises IdempotencyPendingError when that takes too long."""
    key = await calling_key(await api_key(request))
    client = await services.clients.authenticate(key)
    until = monotonic() + services.settings.idempotency_wait_seconds
    while True:
        found = await services.answers.begin(
            client,
            api_key=key,
            path=request.url.path,
            idempotency_key=request.headers[HEADER],
            body=await request.body(),
        )
        if not isinstance(found, Running):
            return found
        if monotonic() >= until:
            raise IdempotencyPendingError
        await asyncio.sleep(POLL_SECONDS)


async def _run(request: Request, handle: Handler) -> Response:
    """A refusal is an answer like any other."""
    try:
        return await handle(request)
    except Exception as error:
        return await answer_problem(request, error)


def _is_final(status: int) -> bool:
    """Whether repeating the request later could not be answered otherwise for reasons of the service alone."""
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS


def _answer_of(response: Response) -> Answer:
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return Answer(status=response.status_code, headers=kept, body=bytes(response.body))
