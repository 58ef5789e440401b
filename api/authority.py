"""Photos from an authority's photo service: HTTPS on which both sides show a certificate.

    POST <HEYAN_AUTHORITY_URL>/photos    {"id_type": "cn_resident_id", "id_number": "…", "name": "…"}
    200 with a picture · 404 {"code": "photo_not_found"} · 409 {"code": "name_mismatch"} · all else: not now

A POST, so that numbers and names are in no address and in no access log. What is lost on the way is asked for again a
few times; when that keeps failing the breaker opens, and for a while nobody waits for an answer that does not come.
"""

import asyncio
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import msgspec
import stamina
from circuitbreaker import CircuitBreaker

from api.metrics import Metrics
from api.settings import Settings, SettingsError
from models.image import DEFAULT_LIMITS
from verify.photo_source import NoPhotoError, PhotoDelayedError, Sought

ATTEMPTS = 3
"""For one photo, within `AuthorityPhotos.seconds` each."""

FAILURES = 3
"""Photos in a row that could not be had, after which the breaker opens."""

MOST_BYTES = DEFAULT_LIMITS.max_bytes

FOUND = "found"
NO_PHOTO = {"photo_not_found": HTTPStatus.NOT_FOUND, "name_mismatch": HTTPStatus.CONFLICT}
"""Codes that are final, with their status: a 404 of a proxy, or of a wrong path, says nothing about people."""


class _Refusal(msgspec.Struct):
    """The body of an answer without a picture."""

    code: str


class _FailedError(Exception):
    """One attempt that may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityPhotos:
    """One authority. `seconds`: for the whole of one attempt; `breaker`: shared by all who ask in this process."""

    url: str
    tls: ssl.SSLContext
    seconds: float
    breaker: CircuitBreaker
    metrics: Metrics

    async def fetch(self, sought: Sought) -> bytes:
        """See `verify.photo_source.PhotoSource`."""
        if self.breaker.opened:
            self._count("paused")
            raise PhotoDelayedError("the authority failed lately", retry_after=float(self.breaker.open_remaining))
        try:
            with self.breaker:
                answer, content = await self._asked(sought)
        except _FailedError as error:
            self._count("delayed")
            raise PhotoDelayedError(str(error), retry_after=max(2.0, float(self.breaker.open_remaining))) from None
        self._count(answer)
        if answer != FOUND:
            raise NoPhotoError
        return content

    async def _asked(self, sought: Sought) -> tuple[str, bytes]:
        """The code of a final answer, and the picture if it is `FOUND`. Raises _FailedError."""
        async with httpx.AsyncClient(verify=self.tls, timeout=self.seconds, trust_env=False) as http:
            async for attempt in stamina.retry_context(
                on=_FailedError, attempts=ATTEMPTS, wait_max=1.0, wait_jitter=0.2
            ):
                with attempt:
                    return await self._once(http, sought)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, http: httpx.AsyncClient, sought: Sought) -> tuple[str, bytes]:
        asked = {"id_type": sought.id_type, "id_number": sought.id_number, "name": sought.name}
        try:
            async with asyncio.timeout(self.seconds), http.stream("POST", f"{self.url}/photos", json=asked) as answer:
                return _understood(answer.status_code, await _content(answer))
        except (TimeoutError, httpx.TimeoutException):
            raise _FailedError(f"the authority did not answer within {self.seconds:g} seconds") from None
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise _FailedError(type(error).__name__) from None

    def _count(self, answer: str) -> None:
        self.metrics.photos_sought.labels(answer=answer).inc()


def open_authority(settings: Settings, metrics: Metrics) -> AuthorityPhotos | None:
    """The authority that the settings name, if they name one.

    Raises:
        SettingsError: `setting_invalid` if a certificate or key cannot be used.
    """
    tls = authority_tls(settings)
    if settings.authority_url is None or tls is None:
        return None
    return AuthorityPhotos(
        url=settings.authority_url,
        tls=tls,
        seconds=settings.authority_seconds,
        breaker=CircuitBreaker(
            failure_threshold=FAILURES,
            recovery_timeout=settings.authority_pause_seconds,
            expected_exception=_FailedError,
        ),
        metrics=metrics,
    )


def authority_tls(settings: Settings) -> ssl.SSLContext | None:
    """What both sides prove who they are with, if the settings name an authority. Raises as `mutual_tls`."""
    files = (settings.authority_ca, settings.authority_certificate, settings.authority_key)
    if settings.authority_url is None or None in files:
        return None
    return mutual_tls(*(path for path in files if path is not None))


def mutual_tls(authority: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Trusts this authority only, and shows this certificate.

    Raises:
        SettingsError: `setting_invalid`.
    """
    try:
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate, key)
    except OSError:  # as all errors of `ssl` are
        message = (
            "HEYAN_AUTHORITY_CA, HEYAN_AUTHORITY_CERTIFICATE, HEYAN_AUTHORITY_KEY: one is missing, is no PEM file, or "
            "the key is not the certificate's"
        )
        raise SettingsError("setting_invalid", message) from None
    return context


def _understood(status: int, content: bytes) -> tuple[str, bytes]:
    """Raises _FailedError for an answer that the contract does not know."""
    if status == HTTPStatus.OK:
        return FOUND, content
    try:
        code = msgspec.json.decode(content, type=_Refusal).code
    except msgspec.MsgspecError:
        code = ""
    if NO_PHOTO.get(code) != status:
        raise _FailedError(f"the authority answered {status}")
    return code, b""


async def _content(answer: httpx.Response) -> bytes:
    """The body, cut off just beyond what a picture may have: then it is refused as too large."""
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > MOST_BYTES:
            break
    return bytes(content)
