"""Webhook endpoints of clients: where notices go, and how they are signed, after Standard Webhooks.

A secret (`whsec_…`) is shown once and stored encrypted. After a rotation the old one signs beside the new one for a
day, so that the receiver can change over without losing a notice; also if others follow it within that day.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import msgspec
from standardwebhooks import Webhook

from verify.casefile import Mode
from verify.clients import Client
from verify.errors import Conflict, Invalid, NotFound
from verify.identifiers import Entropy, new_part
from verify.notices import CATALOGUE, PING, Notice
from verify.store import Store
from verify.vault import Vault

ENDPOINTS_EACH = 20
"""Endpoints that a client may have in one mode."""

OVERLAP_SECONDS = 86400.0
"""How long an old secret still signs after a rotation."""

SECRETS_EACH = 5
"""Secrets that sign at once: the newest. What is signed bears a signature of each, and has to stay short."""

SECRET_BYTES = 32
_KIND = "webhooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """A signing secret, encrypted. `until`: Unix seconds after which it signs no more; None: the current one."""

    sealed: bytes
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a client wants its notices. `types`: those that it wants, none: all."""

    id: str
    client: str
    mode: Mode
    url: str
    types: tuple[str, ...]
    state: Literal["enabled", "disabled"]
    created_at: float
    wrapped_key: bytes
    secrets: tuple[SealedSecret, ...]

    def wants(self, notice: Notice) -> bool:
        """Whether a notice is for this endpoint; of what happened before it was registered nothing is."""
        own = (notice.client, notice.mode) == (self.client, self.mode)
        chosen = not self.types or notice.type in self.types
        return own and chosen and self.state == "enabled" and notice.at >= self.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A POST that delivers a notice."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Registers endpoints and signs what goes to them."""

    store: Store
    vault: Vault
    entropy: Entropy

    async def create(self, client: Client, url: str, types: Collection[str] = ()) -> tuple[Endpoint, str]:
        """A new endpoint and its secret, shown this once. Whether `url` may be called is the caller's to check.

        Raises:
            Invalid: `notice_type_unknown`. Conflict: `webhook_limit`.
        """
        unknown = sorted(set(types) - set(CATALOGUE))
        if unknown:
            message = f"no notice is of type {', '.join(unknown)}; choose from {', '.join(CATALOGUE)}"
            raise Invalid("notice_type_unknown", message)
        if len(await self.list(client)) >= ENDPOINTS_EACH:
            raise Conflict("webhook_limit", f"a client has at most {ENDPOINTS_EACH} webhooks: delete one first")
        endpoint_id = f"whk_{new_part(self.entropy)}"
        wrapped_key = self.vault.new_case_key(endpoint_id)
        secret = self.entropy(SECRET_BYTES)
        endpoint = Endpoint(
            id=endpoint_id,
            client=client.id,
            mode=client.mode,
            url=url,
            types=tuple(sorted(set(types))),
            state="enabled",
            created_at=await self.store.now(),
            wrapped_key=wrapped_key,
            secrets=(self._sealed(endpoint_id, wrapped_key, secret),),
        )
        await self.store.put_record(_KIND, endpoint_id, msgspec.json.encode(endpoint))
        return endpoint, _shown(secret)

    async def all(self) -> tuple[Endpoint, ...]:
        """All endpoints of all clients."""
        found = (await self.store.records(_KIND)).values()
        return tuple(msgspec.json.decode(content, type=Endpoint) for content in found)

    async def list(self, client: Client) -> tuple[Endpoint, ...]:
        """The endpoints of a client in its mode, oldest first."""
        own = [each for each in await self.all() if (each.client, each.mode) == (client.id, client.mode)]
        return tuple(sorted(own, key=lambda each: each.created_at))

    async def find(self, endpoint_id: str) -> Endpoint | None:
        """An endpoint of whichever client."""
        found = await self.store.get_record(_KIND, endpoint_id)
        return msgspec.json.decode(found, type=Endpoint) if found is not None else None

    async def get(self, client: Client, endpoint_id: str) -> Endpoint:
        """An endpoint of this client. Raises NotFound `webhook_unknown`."""
        endpoint = await self.find(endpoint_id)
        if endpoint is None or (endpoint.client, endpoint.mode) != (client.id, client.mode):
            raise NotFound("webhook_unknown", "there is no such webhook, or it belongs to another client")
        return endpoint

    async def delete(self, client: Client, endpoint_id: str) -> None:
        """Forget an endpoint and its secret; what waits for it is dropped. Raises NotFound `webhook_unknown`."""
        await self._change(await self.get(client, endpoint_id), lambda _: None)
        await asyncio.to_thread(self.vault.erase, endpoint_id)

    async def rotate(self, client: Client, endpoint_id: str) -> tuple[Endpoint, str]:
        """A new secret, shown this once; the present one signs beside it for a day, unless many follow it.

        Raises:
            NotFound: `webhook_unknown`.
        """
        endpoint = await self.get(client, endpoint_id)
        secret, now = self.entropy(SECRET_BYTES), await self.store.now()

        def rotated(before: Endpoint) -> Endpoint:
            present, *older = before.secrets
            present = replace(present, until=now + OVERLAP_SECONDS)
            secrets = (self._sealed(before.id, before.wrapped_key, secret), present, *_in_force(older, now=now))
            return replace(before, secrets=secrets[:SECRETS_EACH])

        await self._change(endpoint, rotated)
        return await self.get(client, endpoint_id), _shown(secret)

    async def disable(self, endpoint: Endpoint) -> None:
        """Send nothing more to an endpoint that says it is gone."""
        await self._change(endpoint, lambda before: replace(before, state="disabled"))

    def ping(self, endpoint: Endpoint, *, now: float) -> Notice:
        """A notice that tests an endpoint."""
        data = {"webhook": endpoint.id, "mode": endpoint.mode}
        notice_id = f"evt_{new_part(self.entropy)}"
        return Notice(id=notice_id, type=PING, client=endpoint.client, mode=endpoint.mode, at=now, data=data)

    def signed(self, endpoint: Endpoint, notice: Notice, *, now: float) -> SignedRequest:
        """The POST that delivers a notice at a time (Unix seconds), with a signature for each secret in force."""
        at = datetime.fromtimestamp(int(now), UTC)
        payload = notice.payload()
        secrets = _in_force(endpoint.secrets, now=now)
        signatures = [Webhook(self._opened(endpoint, each)).sign(notice.id, at, payload.decode()) for each in secrets]
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": " ".join(signatures),
        }
        return SignedRequest(url=endpoint.url, headers=headers, body=payload)

    def _sealed(self, endpoint_id: str, wrapped_key: bytes, secret: bytes) -> SealedSecret:
        sealed = self.vault.seal(secret, case_id=endpoint_id, wrapped_key=wrapped_key, bound_to=("webhook-secret",))
        return SealedSecret(sealed=sealed)

    def _opened(self, endpoint: Endpoint, secret: SealedSecret) -> bytes:
        return self.vault.open(
            secret.sealed, case_id=endpoint.id, wrapped_key=endpoint.wrapped_key, bound_to=("webhook-secret",)
        )

    async def _change(self, endpoint: Endpoint, change: Callable[[Endpoint], Endpoint | None]) -> None:
        """Apply a change to the endpoint as it is now; nothing to do if it is gone."""

        def changed(stored: bytes) -> bytes | None:
            after = change(msgspec.json.decode(stored, type=Endpoint))
            return None if after is None else msgspec.json.encode(after)

        await self.store.change_record(_KIND, endpoint.id, changed)


def _in_force(secrets: Iterable[SealedSecret], *, now: float) -> tuple[SealedSecret, ...]:
    return tuple(each for each in secrets if each.until is None or now < each.until)


def _shown(secret: bytes) -> str:
    """Standard Webhooks: `whsec_` and base64."""
    return "whsec_" + b64encode(secret).decode()
