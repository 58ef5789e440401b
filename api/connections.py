"""HTTP connections of strangers: a request's head must come soon and be small, before anything else of it is looked at.

uvicorn's parser takes heads of any size, and waits for them for ever.
"""

import asyncio
import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a later request, to the end of its head."""

MOST_HEAD_BYTES = 64 * 1024
"""Method, path and headers together, give or take what is read at once. Ours are below 1 KiB."""


class BoundedHttp(HttpToolsProtocol):
    """408 `head_too_slow` and 431 `head_too_large`, then the connection is closed."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes; while a head is awaited they count towards it."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        super().data_received(data)
        if self._deadline is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large")

    def on_message_begin(self) -> None:
        """A head begins, perhaps while the request before it is still being answered."""
        if self._deadline is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_here()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._refuse, HTTPStatus.REQUEST_TIMEOUT, "head_too_slow")

    def _head_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        """A problem document, as far as one can be read by somebody who is still sending."""
        self._head_is_here()
        if self.transport.is_closing():
            return
        details = {
            "head_too_slow": f"a request's head must come within {HEAD_SECONDS:.0f} seconds",
            "head_too_large": f"a request's path and headers may have {MOST_HEAD_BYTES} bytes together",
        }
        problem = {"type": "about:blank", "title": status.phrase, "status": status, "code": code}
        body = json.dumps({**problem, "detail": details[code]}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
