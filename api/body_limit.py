"""A limit on request bodies that counts what arrives, so that a missing or false Content-Length does not pass it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import RequestTooLargeError


class BodyLimit:
    """ASGI middleware: 413 `request_too_large` as soon as more than `max_bytes` were announced or received.

    The error is raised from `receive`, inside the application, whose handlers turn it into a problem document.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, _counted(receive, self._max_bytes, _announced(scope)), send)


def _announced(scope: Scope) -> int:
    """Content-Length, or 0 if there is none; servers refuse a header that is no number."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


def _counted(receive: Receive, max_bytes: int, announced: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        if announced > max_bytes:
            raise RequestTooLargeError(max_bytes)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > max_bytes:
            raise RequestTooLargeError(max_bytes)
        return message

    return counted
