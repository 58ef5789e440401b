"""The only home of JOSE: compact JWS with Ed25519 (RFC 7515, RFC 8037, RFC 9864).

One algorithm, named `Ed25519`; keys only from our own set, chosen by `kid`; the type in the header says token or
receipt, so that one never passes for the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])

Claims = Mapping[str, Any]


class SignatureInvalidError(ValueError):
    """The text is no JWS of ours. Says nothing about why: that would help only a forger."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One Ed25519 key pair with its id."""

    key: OKPKey

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the public key."""
        return self.key.thumbprint()

    def public_jwk(self) -> dict[str, Any]:
        """The public part, as it stands in a JWKS."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    def to_json(self) -> bytes:
        """Both parts, as a JWK."""
        return json.dumps(self.key.as_dict(private=True)).encode()


def new_signing_key() -> SigningKey:
    """A fresh key pair."""
    return SigningKey(OKPKey.generate_key("Ed25519", private=True))


def read_signing_key(content: bytes) -> SigningKey:
    """Raises ValueError if the bytes are no private Ed25519 JWK."""
    try:
        key = OKPKey.import_key(json.loads(content))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ValueError("not a JWK") from error
    if key.curve_name != "Ed25519" or not key.is_private:
        raise ValueError("not a private Ed25519 key")
    return SigningKey(key)


def sign(claims: Claims, *, key: SigningKey, kind: str) -> str:
    """A compact JWS; `kind` goes into the header's `typ`. Ed25519 is deterministic: equal claims, equal text."""
    header = {"alg": ALGORITHM, "typ": kind, "kid": key.kid}
    payload = json.dumps(dict(claims), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return jws.serialize_compact(header, payload, key.key, registry=_REGISTRY)


def verify(text: str, *, expected_keys: Mapping[str, SigningKey], expected_kind: str) -> dict[str, Any]:
    """The claims of a JWS that one of our keys signed as this kind.

    Raises:
        SignatureInvalidError: anything else: form, algorithm, type, key or signature.
    """
    try:
        parts = jws.extract_compact(text.encode("ascii"))
        header = parts.headers()
        key = expected_keys[str(header["kid"])]
        if header.get("alg") != ALGORITHM or header.get("typ") != expected_kind or set(header) != {"alg", "typ", "kid"}:
            raise SignatureInvalidError
        verified = jws.deserialize_compact(text, key.key, registry=_REGISTRY)
        claims = json.loads(verified.payload)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureInvalidError("the text is no JWS of this service") from error
    if not isinstance(claims, dict):
        raise SignatureInvalidError("the text is no JWS of this service")
    return claims


def key_set(keys: Mapping[str, SigningKey]) -> dict[str, Any]:
    """The JWKS (RFC 7517) of public keys."""
    return {"keys": [key.public_jwk() for key in keys.values()]}
