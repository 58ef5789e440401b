"""Limits on request bodies: of what arrives, whatever Content-Length says, and of how long that takes."""

from asyncio import timeout
from collections.abc import Callable
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import RequestTooLargeError, RequestTooSlowError

PAUSE_SECONDS = 20.0
"""Longest wait for the next part of a body."""

BODY_SECONDS = 300.0
"""Longest time for a whole body: 32 MiB at 1 Mbit/s."""


class BodyLimit:
    """ASGI middleware: 413 `request_too_large` as soon as more than `max_bytes` were announced or received, and 408
    `request_too_slow` if the rest does not come. `clock`: monotonic seconds.

    The error is raised from `receive`, inside the application, whose handlers turn it into a problem document.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, clock: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._clock = clock
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        timed = _timed(receive, self._clock)
        await self._app(scope, _counted(timed, self._max_bytes, _announced(scope)), send)


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


def _timed(receive: Receive, clock: Callable[[], float]) -> Receive:
    """Until the body is whole; who listens for the end of the connection afterwards may wait."""
    until, whole = clock() + BODY_SECONDS, False

    async def timed() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with timeout(max(0.0, min(PAUSE_SECONDS, until - clock()))):
                message = await receive()
        except TimeoutError:
            raise RequestTooSlowError from None
        whole = not message.get("more_body", False)
        return message

    return timed
