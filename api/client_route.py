"""The class of routes under a client's API key: what holds for all of them, so that no endpoint needs to know of it.

A POST with an `Idempotency-Key` takes effect once; a change of a case with `If-Match` only if the case is still as its
client has seen it.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api import idempotency, preconditions

SAFE = frozenset({"GET", "HEAD"})


class ClientRoute(APIRoute):
    """A route under a client's API key."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        methods = frozenset(options.get("methods") or ())
        parameters = [idempotency.PARAMETER] if "POST" in methods else []
        if "{case_id}" in path and not methods & SAFE:
            parameters.append(preconditions.PARAMETER)
        if parameters:
            options["openapi_extra"] = {**(options.get("openapi_extra") or {}), "parameters": parameters}
        if "POST" in methods:
            status = options.get("status_code") or HTTPStatus.OK
            options["responses"] = {**(options.get("responses") or {}), int(status): idempotency.ANSWERED}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint's handler behind both headers; a kept answer goes before a precondition."""
        handle = super().get_route_handler()

        async def expecting(request: Request) -> Response:
            return await preconditions.run_if_match(request, handle)

        async def answered(request: Request) -> Response:
            return await idempotency.answer_once(request, expecting)

        return answered
