"""Text messages by an operator's gateway: one POST of JSON for each, to one address.

    POST <HEYAN_SMS_URL>      Idempotency-Key: msg_…     {"id": "msg_…", "to": "+86…", "text": "…"}
    2xx accepted · 408, 429 and 5xx later · any other 4xx never

The body can be another, from a template of the operator's; headers of their own can carry a credential, and a key of
theirs can sign each request after Standard Webhooks. No redirects, no proxies of the environment.
"""

import asyncio
import json
import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

import httpx
import msgspec
from standardwebhooks import Webhook

from api.retry_after import retry_after
from api.secret_files import read_secret, trusting
from api.settings import Settings, SettingsError
from verify.message_texts import Letter
from verify.messages import ACCEPTED, Attempted

DEFAULT_BODY: Mapping[str, str] = {"id": "$id", "to": "$to", "text": "$text"}

PLACEHOLDERS = frozenset(
    {"id", "to", "text", "language", "kind", "name", "requester", "action", "link", "until"},
)
"""What a template of the body may name, as `$to`."""

LEAST_KEY_BYTES = 24
"""Of a key that signs, as Standard Webhooks has it."""

LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
CREDENTIALS = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED},
)
RESERVED = frozenset({"content-type", "content-length", "host", "idempotency-key", "transfer-encoding"})
"""Headers that are this module's to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsGateway:
    """One gateway. `seconds`: for the whole of one POST."""

    url: str
    tls: ssl.SSLContext
    seconds: float
    body: Any
    headers: Mapping[str, str] = field(repr=False)
    signature: Webhook | None

    async def send(self, letter: Letter, *, now: float) -> Attempted:
        """See `api.senders.Sender`."""
        body, headers = self.request(letter, now=now)
        try:
            async with asyncio.timeout(self.seconds):
                return await self._post(body, headers)
        except (TimeoutError, httpx.TimeoutException):
            return Attempted(reason="timeout")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            return Attempted(reason="unreachable")

    def request(self, letter: Letter, *, now: float) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the POST for a message."""
        fields = {**letter.fields, "id": letter.id, "to": letter.to, "text": letter.text, "language": letter.language}
        body = msgspec.json.encode(_filled(self.body, fields))
        headers = {**self.headers, "content-type": "application/json", "idempotency-key": letter.id}
        if self.signature is not None:
            at = datetime.fromtimestamp(int(now), UTC)
            headers |= {
                "webhook-id": letter.id,
                "webhook-timestamp": str(int(now)),
                "webhook-signature": self.signature.sign(letter.id, at, body.decode()),
            }
        return body, headers

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Attempted:
        """The answer's body is not read: nothing in it counts."""
        async with (
            httpx.AsyncClient(verify=self.tls, timeout=self.seconds, trust_env=False) as http,
            http.stream("POST", self.url, content=body, headers=headers) as answer,
        ):
            return understood(answer.status_code, retry_after(answer))


def understood(status: int, asked: float | None) -> Attempted:
    """What an answer's status says of the message. `asked`: seconds until the next attempt, if it says so."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return ACCEPTED
    if status in LATER:
        return Attempted(reason="busy", retry_after=asked)
    if status in CREDENTIALS:
        return Attempted(reason="denied", final=True)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Attempted(reason="rejected", final=True)
    return Attempted(reason="failed", retry_after=asked)


def open_sms_gateway(settings: Settings) -> SmsGateway | None:
    """The gateway that the settings name, if they name one.

    Raises:
        SettingsError: `setting_invalid` if a file cannot be used.
    """
    if settings.sms_url is None:
        return None
    return SmsGateway(
        url=settings.sms_url,
        tls=trusting(settings.delivery_ca, setting="HEYAN_DELIVERY_CA"),
        seconds=settings.delivery_seconds,
        body=DEFAULT_BODY if settings.sms_body is None else load_body(settings.sms_body),
        headers={} if settings.sms_headers is None else load_headers(settings.sms_headers),
        signature=None if settings.sms_signing_key is None else load_signature(settings.sms_signing_key),
    )


def load_body(path: Path) -> Any:
    """A template of the body: JSON in whose strings `$to` and the other placeholders stand.

    Raises:
        SettingsError: `setting_invalid`; also for a template without the contact, or without text and link.
    """
    body, named = _json(path, setting="HEYAN_SMS_BODY"), set[str]()
    for text in _strings(body):
        template = Template(text)
        if not template.is_valid():
            raise _invalid("HEYAN_SMS_BODY", "a $ stands before the name of a placeholder, or twice for itself")
        named |= set(template.get_identifiers())
    unknown = sorted(named - PLACEHOLDERS)
    if unknown:
        raise _invalid("HEYAN_SMS_BODY", f"no placeholder is named {', '.join(unknown)}")
    if "to" not in named or named.isdisjoint({"text", "link"}):
        raise _invalid("HEYAN_SMS_BODY", "the body needs $to, and $text or $link")
    return body


def load_headers(path: Path) -> Mapping[str, str]:
    """Headers for every POST, from a file with a JSON object. Raises SettingsError `setting_invalid`."""
    try:
        headers = msgspec.convert(_json(path, setting="HEYAN_SMS_HEADERS"), dict[str, str])
        httpx.Headers(headers)
    except (msgspec.ValidationError, ValueError):
        raise _invalid("HEYAN_SMS_HEADERS", "the file holds no JSON object of names and texts in ASCII") from None
    if any(not _is_header(name, value) for name, value in headers.items()):
        raise _invalid("HEYAN_SMS_HEADERS", f"a header is malformed, or is one of {', '.join(sorted(RESERVED))}")
    return {name.lower(): value for name, value in headers.items()}


def load_signature(path: Path) -> Webhook:
    """The key that requests are signed with: `whsec_` and base64, as Standard Webhooks has it.

    Raises:
        SettingsError: `setting_invalid`.
    """
    prefix, _, coded = read_secret(path, setting="HEYAN_SMS_SIGNING_KEY").partition("_")
    try:
        key = b64decode(coded, validate=True)
    except ValueError:
        key = b""
    if prefix != "whsec" or len(key) < LEAST_KEY_BYTES:
        message = f"the file holds whsec_ and the base64 of at least {LEAST_KEY_BYTES} bytes"
        raise _invalid("HEYAN_SMS_SIGNING_KEY", message)
    return Webhook(key)


def _is_header(name: str, value: str) -> bool:
    token = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    plain = value.isascii() and value.isprintable()
    return token and plain and name.lower() not in RESERVED


def _json(path: Path, *, setting: str) -> Any:
    try:
        return json.loads(read_secret(path, setting=setting))
    except json.JSONDecodeError:
        raise _invalid(setting, "the file holds no JSON") from None


def _strings(value: Any) -> list[str]:
    """All texts in JSON but the names of members."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []


def _filled(value: Any, fields: Mapping[str, str]) -> Any:
    """The same JSON with placeholders filled in: what is filled in stays within its string."""
    if isinstance(value, Mapping):
        return {name: _filled(each, fields) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, fields) for each in value]
    return Template(value).substitute(fields) if isinstance(value, str) else value


def _invalid(setting: str, message: str) -> SettingsError:
    return SettingsError("setting_invalid", f"{setting}: {message}")
