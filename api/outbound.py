"""POSTs to addresses that clients name: to public ones only, to the very address that was checked, without redirects.

A name is resolved once for each POST, every address behind it is judged, and the connection goes to one of those, with
the name in Host and TLS. So neither a name that points inside, nor one that changes between check and use, nor a
redirect leads a request into the operator's network. Proxies of the environment are not used: they would resolve names
anew.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from socket import IPPROTO_TCP, gaierror
from urllib.parse import SplitResult, urlsplit

import httpx

from api.addresses import is_loopback, is_nowhere, is_public
from api.retry_after import retry_after
from verify.errors import Invalid

ANSWER_SECONDS = 15.0
"""For the whole of one POST, the look-up of its name included, as Standard Webhooks proposes."""

LONGEST_URL = 2000

Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Addresses of a host name, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a POST came to: a status, or a code that says why there is none (`refused`, `unreachable`, `timeout`)."""

    status: int | None = None
    retry_after: float | None = None
    error: str | None = None


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Addresses of a host by the machine's resolver; none if it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=IPPROTO_TCP)
    except (gaierror, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """Sends to addresses that clients name. `allow_private`: also to those inside of the operator's network; `seconds`:
    for the whole of one POST."""

    allow_private: bool = False
    seconds: float = ANSWER_SECONDS
    resolve: Resolve = resolve
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def check(self, url: str) -> str:
        """The URL, if a client may have notices sent to it, as far as can be told now.

        Raises:
            Invalid: `webhook_url_invalid` for its form, `webhook_url_refused` for where it leads.
        """
        parts = _split(url)
        if parts is None:
            raise Invalid("webhook_url_invalid", "a webhook's URL is https://host/path, without user and fragment")
        try:
            async with asyncio.timeout(self.seconds):
                addresses = await self._addresses(parts)
        except TimeoutError:
            addresses = ()
        if not addresses:
            message = (
                "the webhook's host is unknown, or leads to an address that is not public; the operator can allow "
                "private ones with HEYAN_WEBHOOK_PRIVATE_ADDRESSES"
            )
            raise Invalid("webhook_url_refused", message)
        if not _is_secret(parts, addresses):
            message = "a webhook's URL begins with https://; http:// only leads to loopback"
            raise Invalid("webhook_url_invalid", message)
        return url

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answered:
        """POST once. The answer's body is not read. Never raises for what the other side does."""
        parts = _split(url)
        if parts is None:
            return Answered(error="refused")
        try:
            async with asyncio.timeout(self.seconds):
                addresses = await self._addresses(parts)
                if not addresses or not _is_secret(parts, addresses):
                    return Answered(error="refused")
                return await self._post_to(addresses, parts, headers, body)
        except (TimeoutError, httpx.TimeoutException):
            return Answered(error="timeout")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            return Answered(error="unreachable")

    async def _post_to(
        self, addresses: tuple[str, ...], parts: SplitResult, headers: Mapping[str, str], body: bytes
    ) -> Answered:
        """The first address that takes a connection."""
        transport = httpx.AsyncHTTPTransport(verify=self.tls, retries=0)
        async with httpx.AsyncClient(transport=transport, timeout=self.seconds, follow_redirects=False) as http:
            for address in addresses[:-1]:
                try:
                    return await _post(http, address, parts, headers, body)
                except httpx.ConnectError:
                    continue
            return await _post(http, addresses[-1], parts, headers, body)

    async def _addresses(self, parts: SplitResult) -> tuple[str, ...]:
        """Where a URL leads; nowhere if any of its addresses is not allowed."""
        found = await self.resolve(parts.hostname or "", parts.port or _default_port(parts))
        allowed = all(is_public(each) or (self.allow_private and not is_nowhere(each)) for each in found)
        return found if allowed else ()


async def _post(
    http: httpx.AsyncClient, address: str, parts: SplitResult, headers: Mapping[str, str], body: bytes
) -> Answered:
    """POST to this address, under the name that the URL has."""
    host = f"[{address}]" if ":" in address else address
    url = parts._replace(netloc=f"{host}:{parts.port or _default_port(parts)}").geturl()
    named = {**headers, "host": parts.netloc}
    pinned = {"sni_hostname": parts.hostname}
    async with http.stream("POST", url, content=body, headers=named, extensions=pinned) as answer:
        return Answered(status=answer.status_code, retry_after=retry_after(answer))


def _split(url: str) -> SplitResult | None:
    """The parts of an absolute web address without user and fragment; None if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    whole = parts.scheme in {"https", "http"} and bool(parts.hostname) and port != 0
    return parts if plain and whole and "@" not in parts.netloc and not parts.fragment else None


def _is_secret(parts: SplitResult, addresses: tuple[str, ...]) -> bool:
    """Whether nobody on the way can read what is sent: it is encrypted, or stays on this machine."""
    return parts.scheme == "https" or all(map(is_loopback, addresses))


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80
