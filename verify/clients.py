"""Clients: registration services, known by their API keys. Only the hash of a key is kept.

A client may have several keys at once, so that one can take another's place without a break: cases, tokens, receipts
and webhooks are the client's, and every key of it reaches them.
"""

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

KEY_ID_DIGITS = 16
"""Of a key's hash that are its id: 64 of 256 bits, of which nobody gets any nearer to the key."""

_KIND = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One registration service, as the record of one of its keys tells of it."""

    id: str
    name: str
    mode: Mode
    scopes: tuple[str, ...]
    """Of this key."""
    created_at: float
    """When this key was made."""
    revoked: bool = False
    """Whether this key was."""
    return_origins: tuple[str, ...] = ()
    """Where its links back into its flow may lead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One of the keys of a client."""

    secret_hash: str
    client: Client

    @property
    def id(self) -> str:
        """What it is called where it must not be seen."""
        return key_id(self.secret_hash)


@dataclass(frozen=True, slots=True)
class Clients:
    """Creates clients and their keys, and finds clients by them."""

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
        client = Client(
            id=f"cli_{new_part(self.entropy)}",
            name=name,
            mode=mode,
            scopes=_checked_scopes(scopes),
            created_at=await self.store.now(),
            return_origins=tuple(map(check_origin, return_origins)),
        )
        return client, await self._new_key(client)

    async def add_key(self, client_id: str, *, scopes: Collection[str] | None = None) -> tuple[Client, str]:
        """A further API key of a client, shown this once; also of one whose keys are all revoked.

        Args:
            client_id: of the client.
            scopes: of the new key; None: those of its newest key, if there is one of those that were not revoked.

        Raises:
            NotFound: `key_unknown`. Invalid: `scope_unknown`.
        """
        like = max(await self._named(client_id), key=lambda key: (not key.client.revoked, key.client.created_at)).client
        chosen = like.scopes if scopes is None else _checked_scopes(scopes)
        client = replace(like, scopes=chosen, created_at=await self.store.now(), revoked=False)
        secret = await self._new_key(client)
        origins = (await self._named(client_id))[0].client.return_origins  # they may have been changed meanwhile
        (key,) = await self._change(key_id(hash_secret(secret)), lambda added: replace(added, return_origins=origins))
        return key.client, secret

    async def authenticate(self, secret: str) -> Client:
        """The client of an API key. Found by hash: no comparison whose time could tell anything.

        Raises:
            Refused: `api_key_invalid`.
        """
        client = await self.of_key(secret)
        if client is None or client.revoked:
            message = "this API key is not known or was revoked; `heyan keys add` makes another for the same client"
            raise Refused("api_key_invalid", message)
        return client

    async def of_key(self, secret: str) -> Client | None:
        """The client as the record of this API key tells of it, also once the key is revoked; None: no such key."""
        found = await self.store.get_record(_KIND, hash_secret(secret))
        return None if found is None else msgspec.json.decode(found, type=Client)

    async def keys(self) -> tuple[ApiKey, ...]:
        """All keys of all clients, oldest first."""
        found = (await self.store.records(_KIND)).items()
        keys = [ApiKey(secret_hash=name, client=msgspec.json.decode(content, type=Client)) for name, content in found]
        return tuple(sorted(keys, key=lambda key: key.client.created_at))

    async def list(self) -> tuple[Client, ...]:
        """All clients, oldest first, each as its newest key tells of it; revoked is one whose keys all are."""
        clients = dict[str, Client]()
        for key in await self.keys():
            before = clients.get(key.client.id, key.client)
            clients[before.id] = replace(key.client, revoked=before.revoked and key.client.revoked)
        return tuple(clients.values())

    async def revoke(self, named: str) -> tuple[ApiKey, ...]:
        """Make one key useless, named by its id, or all keys of a client. Raises NotFound `key_unknown`."""
        return await self._change(named, lambda client: replace(client, revoked=True))

    async def let_return_to(self, client_id: str, origins: Collection[str]) -> Client:
        """Register where a client's links back may lead, in place of what was registered, for all of its keys.

        Raises:
            NotFound: `key_unknown`. Invalid: `return_origin_invalid`.
        """
        checked = tuple(map(check_origin, origins))
        return (await self._change(client_id, lambda client: replace(client, return_origins=checked)))[-1].client

    async def _new_key(self, client: Client) -> str:
        secret = f"hk_{client.mode}_{new_secret(self.entropy)}"
        await self.store.put_record(_KIND, hash_secret(secret), msgspec.json.encode(client))
        return secret

    async def _named(self, named: str) -> tuple[ApiKey, ...]:
        """The key of this id, or all keys of the client of this id, oldest first. Raises NotFound `key_unknown`."""
        found = tuple(key for key in await self.keys() if named in {key.id, key.client.id})
        if not found:
            raise NotFound("key_unknown", f"no key and no client has the id {named!r}; `heyan keys list` shows them")
        return found

    async def _change(self, named: str, change: Callable[[Client], Client]) -> tuple[ApiKey, ...]:
        """Change each key that is named, once, durably; one that is added meanwhile too."""
        done = set[str]()
        while True:
            keys = await self._named(named)
            missing = [key.secret_hash for key in keys if key.secret_hash not in done]
            if not missing:
                return keys
            for name in missing:
                await self.store.change_record(_KIND, name, lambda before: _changed(before, change))
            done.update(missing)


def key_id(secret_hash: str) -> str:
    """The id of the API key of this hash."""
    return f"key_{secret_hash[:KEY_ID_DIGITS]}"


def _checked_scopes(scopes: Collection[str]) -> tuple[str, ...]:
    """Sorted. Raises Invalid `scope_unknown`."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise Invalid("scope_unknown", f"no scope is named {', '.join(unknown)}; choose from {', '.join(SCOPES)}")
    return tuple(sorted(scopes))


def _changed(stored: bytes, change: Callable[[Client], Client]) -> bytes:
    return msgspec.json.encode(change(msgspec.json.decode(stored, type=Client)))
