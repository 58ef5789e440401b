"""Answers to repeated requests: the same `Idempotency-Key` and body get the answer that the first one got, for a day.

After draft-ietf-httpapi-idempotency-key-header. An answer may hold an invite's code or a token, so it is kept only
encrypted, under a key that is derived (HKDF, RFC 5869) from the API key, of which the store knows no more than a hash:
nobody but a caller who holds the API key can open it, and no key of the service needs to be kept or rotated for it.
Names and fingerprints are keyed hashes for the same reason: a body holds names and numbers of people.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from re import fullmatch

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from verify.clients import Client
from verify.connection import Script
from verify.errors import Conflict, Invalid
from verify.identifiers import Entropy
from verify.store import Store

KEPT_SECONDS = 86400
RUNNING_SECONDS = 120
"""How long a request may run before a repetition may run in its place: its process has died by then."""

_NONCE_BYTES = 12

_BEGIN = Script.of("""
local found = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer')
if not found[1] then
    redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'owner', ARGV[2])
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    return 'begun'
end
if found[1] ~= ARGV[1] then
    return 'reused'
end
return found[2] and 'kept:' .. found[2] or 'running'
""")

_KEEP = Script.of("""
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then
    return 'lost'
end
redis.call('HSET', KEYS[1], 'answer', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 'kept'
""")

_RELEASE = Script.of("""
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return 'released'
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered: HTTP status, the headers that belong to it, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The request is the first with its key: run it, then `keep` its answer or `release` the key."""

    name: str
    owner: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Running:
    """The first request with this key has not been answered yet."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers that are kept, for all replicas."""

    store: Store
    entropy: Entropy

    async def begin(
        self, client: Client, *, api_key: str, path: str, idempotency_key: str, body: bytes
    ) -> Begun | Running | Answer:
        """Begin a request, or find what became of the first one with its key. Atomic in the store.

        Args:
            client: the caller; together with its mode and `path` it is the scope of the key.
            api_key: the caller's secret.
            path: of the request.
            idempotency_key: 8 to 255 visible ASCII characters.
            body: as it was sent, byte for byte.

        Raises:
            Invalid: `idempotency_key_invalid`. Conflict: `idempotency_key_reused`.
        """
        if not fullmatch(r"[\x21-\x7e]{8,255}", idempotency_key):
            message = "an Idempotency-Key has 8 to 255 visible ASCII characters: send a random UUID"
            raise Invalid("idempotency_key_invalid", message)
        scope = msgspec.json.encode((client.id, client.mode, path, idempotency_key))
        name = _keyed_hash(api_key, b"name", scope)
        begun = Begun(name=f"answer:{name}", owner=self.entropy(16).hex(), key=_derived(api_key, scope))
        fingerprint = _keyed_hash(api_key, b"body", body)
        found = await self.store.run(_BEGIN, [begun.name], [fingerprint, begun.owner, RUNNING_SECONDS])
        match found.partition(":"):
            case "begun", _, _:
                return begun
            case "running", _, _:
                return Running()
            case "kept", _, sealed:
                return _opened(begun, sealed)
        message = "this Idempotency-Key came with another request before: every new request needs a new key"
        raise Conflict("idempotency_key_reused", message)

    async def keep(self, begun: Begun, answer: Answer) -> None:
        """Keep a final answer for a day."""
        nonce = self.entropy(_NONCE_BYTES)
        sealed = nonce + AESGCM(begun.key).encrypt(nonce, msgspec.json.encode(answer), begun.name.encode())
        await self.store.run(_KEEP, [begun.name], [begun.owner, b64encode(sealed), KEPT_SECONDS])

    async def release(self, begun: Begun) -> None:
        """Forget a request that ended without a final answer, so that it can be repeated."""
        await self.store.run(_RELEASE, [begun.name], [begun.owner])


def _opened(begun: Begun, sealed: str) -> Answer:
    content = b64decode(sealed)
    nonce, encrypted = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
    return msgspec.json.decode(AESGCM(begun.key).decrypt(nonce, encrypted, begun.name.encode()), type=Answer)


def _keyed_hash(api_key: str, purpose: bytes, content: bytes) -> str:
    return hmac.new(api_key.encode(), purpose + b"\n" + content, sha256).hexdigest()


def _derived(api_key: str, scope: bytes) -> bytes:
    """One key for each answer: it seals few contents, so that random nonces cannot meet."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"heyan idempotency\n" + scope).derive(api_key.encode())
