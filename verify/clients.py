"""Clients: registration services, known by their API keys. Only the hash of a key is kept."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from re import fullmatch

import msgspec

from verify.casefile import Mode
from verify.errors import Invalid, NotFound, Refused
from verify.identifiers import Entropy, hash_secret, new_part, new_secret
from verify.return_links import check_origin
from verify.store import Store

SCOPES = ("cases", "compare")
"""`cases`: everything about cases and tokens. `compare`: 1:1 of two photos."""
DEFAULT_SCOPES = ("cases",)

_KIND = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One registration service."""

    id: str
    name: str
    mode: Mode
    scopes: tuple[str, ...]
    created_at: float
    revoked: bool = False
    return_origins: tuple[str, ...] = ()
    """Where its links back into its flow may lead."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Creates clients and finds them by their key."""

    store: Store
    entropy: Entropy

    async def create(
        self,
        name: str,
        *,
        mode: Mode,
        scopes: Collection[str] = DEFAULT_SCOPES,
        return_origins: Collection[str] = (),
    ) -> tuple[Client, str]:
        """A new client and its API key, which is shown this once.

        Raises:
            Invalid: `client_name_invalid`, `scope_unknown`, `return_origin_invalid`.
        """
        if not fullmatch(r"[\w .-]{1,64}", name):
            raise Invalid("client_name_invalid", "a client's name has 1 to 64 letters, digits, spaces, '.', '-' or '_'")
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown:
            raise Invalid("scope_unknown", f"no scope is named {', '.join(unknown)}; choose from {', '.join(SCOPES)}")
        secret = f"hk_{mode}_{new_secret(self.entropy)}"
        now = await self.store.now()
        client = Client(
            id=f"cli_{new_part(self.entropy)}",
            name=name,
            mode=mode,
            scopes=tuple(sorted(scopes)),
            created_at=now,
            return_origins=tuple(map(check_origin, return_origins)),
        )
        await self.store.put_record(_KIND, hash_secret(secret), msgspec.json.encode(client))
        return client, secret

    async def authenticate(self, secret: str) -> Client:
        """The client of an API key. Found by hash: no comparison whose time could tell anything.

        Raises:
            Refused: `api_key_invalid`.
        """
        found = await self.store.get_record(_KIND, hash_secret(secret))
        client = msgspec.json.decode(found, type=Client) if found is not None else None
        if client is None or client.revoked:
            raise Refused(
                "api_key_invalid", "this API key is not known or was revoked; make one by `heyan keys create`"
            )
        return client

    async def list(self) -> tuple[Client, ...]:
        """All clients, oldest first."""
        found = await self.store.records(_KIND)
        clients = [msgspec.json.decode(content, type=Client) for content in found.values()]
        return tuple(sorted(clients, key=lambda client: client.created_at))

    async def revoke(self, client_id: str) -> Client:
        """Make a client's key useless. Raises NotFound `key_unknown`."""
        return await self._change(client_id, lambda client: replace(client, revoked=True))

    async def let_return_to(self, client_id: str, origins: Collection[str]) -> Client:
        """Register where a client's links back may lead, in place of what was registered.

        Raises:
            NotFound: `key_unknown`. Invalid: `return_origin_invalid`.
        """
        checked = tuple(map(check_origin, origins))
        return await self._change(client_id, lambda client: replace(client, return_origins=checked))

    async def _change(self, client_id: str, change: Callable[[Client], Client]) -> Client:
        for name, content in (await self.store.records(_KIND)).items():
            if msgspec.json.decode(content, type=Client).id == client_id:
                stored = await self.store.change_record(_KIND, name, lambda before: _changed(before, change))
                if stored is not None:
                    return msgspec.json.decode(stored, type=Client)
        raise NotFound("key_unknown", f"no client has the id {client_id!r}; `heyan keys list` shows them")


def _changed(stored: bytes, change: Callable[[Client], Client]) -> bytes:
    return msgspec.json.encode(change(msgspec.json.decode(stored, type=Client)))
