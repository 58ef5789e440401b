"""Headers that every answer carries: a request id, and what keeps browsers careful."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from api.traces import OFF, Traces

REQUEST_ID = "x-request-id"

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Nothing is cached (answers hold secrets and states), framed or sniffed, and no page loads anything from elsewhere.

No Strict-Transport-Security: it would bind the whole host, also `localhost`; the proxy with the public name sets it.
"""


class RequestHeaders:
    """ASGI middleware: gives each request an id of our own (never the caller's) and adds `SECURITY_HEADERS`."""

    def __init__(self, app: ASGIApp, *, traces: Traces = OFF) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(8)}"
        clear_contextvars()
        bind_contextvars(request_id=request_id, **self._traces.log_fields())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
