"""HTTP connections of strangers: one address has so many, and a request's head must come soon and be small, before
anything else of it is looked at.

uvicorn takes as many as the system gives, its parser takes heads of any size, and waits for them for ever.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a later request, to the end of its head."""

MOST_HEAD_BYTES = 64 * 1024
"""Method, path and headers together, give or take what is read at once. Ours are below 1 KiB."""

SUBSCRIBER_PREFIX = 64
"""Bits of an IPv6 address that tell subscribers apart: the others are one household's to choose (RFC 6177)."""

Network = IPv4Network | IPv6Network


class BoundedHttp(HttpToolsProtocol):
    """429 `connections_too_many`, 408 `head_too_slow` and 431 `head_too_large`, then the connection is closed."""

    most_per_address: ClassVar[int]
    trusted: ClassVar[Sequence[Network]]
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited, unless its address has enough connections."""
        super().connection_made(transport)
        self._await_head()
        if self._too_many():
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "connections_too_many")

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

    def _too_many(self) -> bool:
        """Whether the peer has more connections than one may, WebSockets among them. A trusted proxy's are many
        people's, and a local socket has no address."""
        if self.client is None or any(ip_address(self.client[0]) in proxy for proxy in self.trusted):
            return False
        here = subscriber(self.client[0])
        clients = (getattr(other, "client", None) for other in self.connections)
        return sum(client is not None and subscriber(client[0]) == here for client in clients) > self.most_per_address

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
            "connections_too_many": f"one address may have {self.most_per_address} connections at once; close some",
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


def bounded_http(*, most_per_address: int, trusted: Sequence[Network]) -> type[BoundedHttp]:
    """The protocol with its bounds, as uvicorn takes it. `trusted`: proxies, through which many people come."""
    return type("BoundedHttp", (BoundedHttp,), {"most_per_address": most_per_address, "trusted": trusted})


@lru_cache(maxsize=4096)
def subscriber(address: str) -> Network:
    """All addresses of whoever has this one."""
    plain, _, _ = address.partition("%")  # an IPv6 address may name its interface
    return ip_network(f"{plain}/{SUBSCRIBER_PREFIX}", strict=False) if ":" in plain else ip_network(plain)
