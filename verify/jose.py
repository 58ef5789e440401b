"""The only home of JOSE: compact JWS with Ed25519 (RFC 7515, 8037, 9864), and JWE to an auditor (RFC 7516).

Keys only from our own set, chosen by `kid`; the type in the header says token, receipt, checkpoint or archive, so that
one never passes for another. RFC 9864 named the algorithm `Ed25519`; `EdDSA` is its older name, for verifiers that know
no other, and stands for the same signature, because our keys have no other curve.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey

Algorithm = Literal["Ed25519", "EdDSA"]

ALGORITHM: Algorithm = "Ed25519"
BOTH_NAMES: tuple[Algorithm, ...] = ("Ed25519", "EdDSA")

PURPOSE = "heyan_for"
"""Member of our public JWKs: what the key signs for (`live`, `test`, `checkpoint`). Others may ignore it (RFC 7517, 4).
"""

_SEALING = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}

Claims = Mapping[str, Any]


class _Registry(jws.JWSRegistry):
    """The two names of one algorithm, without a warning that the older one is the older one."""

    def get_alg(self, name: str) -> JWSAlgModel:
        return self.algorithms[name] if name in BOTH_NAMES else super().get_alg(name)


_REGISTRY = _Registry(algorithms=list(BOTH_NAMES))


class SignatureInvalidError(ValueError):
    """The text is no JWS of ours. Says nothing about why: that would help only a forger."""


class SealInvalidError(ValueError):
    """The text is no JWE for this key."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public Ed25519 key. `purpose`: what it may have signed (`live`, `test`, `checkpoint`).

    `kid`: RFC 7638 thumbprint of the key, which stands for it wherever two are compared.
    """

    key: OKPKey = field(compare=False)
    purpose: str
    kid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kid", self.key.thumbprint())

    def public_jwk(self) -> dict[str, Any]:
        """As it stands in a JWKS. Without `alg`: libraries would refuse a signature under its other name."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", PURPOSE: self.purpose}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One Ed25519 key pair. `kid`: RFC 7638 thumbprint of the public key."""

    key: OKPKey = field(compare=False)
    kid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kid", self.key.thumbprint())

    def to_jwk(self) -> dict[str, Any]:
        """Both parts, as a JWK."""
        return dict(self.key.as_dict(private=True))

    def verifying(self, purpose: str) -> VerifyingKey:
        """The public part."""
        return VerifyingKey(OKPKey.import_key(self.key.as_dict(private=False)), purpose)


def new_signing_key() -> SigningKey:
    """A fresh key pair."""
    return SigningKey(OKPKey.generate_key("Ed25519", private=True))


def read_signing_key(jwk: Any) -> SigningKey:
    """Raises ValueError if this is no private Ed25519 JWK."""
    key = _okp(jwk, curve="Ed25519")
    if not key.is_private:
        raise ValueError("not a private key")
    return SigningKey(key)


def read_verifying_key(jwk: Any, *, purpose: str) -> VerifyingKey:
    """Raises ValueError if this is no Ed25519 JWK. A private part is dropped."""
    return VerifyingKey(OKPKey.import_key(_okp(jwk, curve="Ed25519").as_dict(private=False)), purpose)


def read_key_set(content: bytes) -> tuple[VerifyingKey, ...]:
    """The keys of a JWKS that we published; those of others in it are left out.

    Raises:
        ValueError: it is no JWKS, or holds no key of ours.
    """
    try:
        listed = json.loads(content)["keys"]
        ours = tuple(read_verifying_key(jwk, purpose=str(jwk[PURPOSE])) for jwk in listed if PURPOSE in jwk)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("not a JWKS") from error
    if not ours:
        raise ValueError("a JWKS without a key of this service")
    return ours


def sign(claims: Claims, *, key: SigningKey, kind: str, algorithm: Algorithm = ALGORITHM) -> str:
    """A compact JWS; `kind` goes into the header's `typ`. Ed25519 is deterministic: equal claims, equal text."""
    header = {"alg": algorithm, "typ": kind, "kid": key.kid}
    payload = json.dumps(dict(claims), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return jws.serialize_compact(header, payload, key.key, registry=_REGISTRY)


def verify(
    text: str,
    *,
    expected_keys: Iterable[VerifyingKey],
    expected_kind: str,
    algorithms: tuple[Algorithm, ...] = (ALGORITHM,),
) -> tuple[dict[str, Any], VerifyingKey]:
    """The claims of a JWS that one of these keys signed as this kind, and the key.

    Raises:
        SignatureInvalidError: anything else: form, algorithm, type, key or signature.
    """
    try:
        signed = jws.extract_compact(text.encode("ascii"), registry=_REGISTRY)
        header = signed.headers()
        key = next(key for key in expected_keys if key.kid == header["kid"])
        if header.get("alg") not in algorithms or header.get("typ") != expected_kind:
            raise SignatureInvalidError
        if set(header) != {"alg", "typ", "kid"}:
            raise SignatureInvalidError
        if not jws.validate_compact(signed, key.key, registry=_REGISTRY):
            raise SignatureInvalidError
        claims = json.loads(signed.payload)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise SignatureInvalidError("the text is no JWS of this service") from error
    if not isinstance(claims, dict):
        raise SignatureInvalidError("the text is no JWS of this service")
    return claims, key


def key_set(keys: Iterable[VerifyingKey]) -> dict[str, Any]:
    """The JWKS (RFC 7517) of public keys."""
    return {"keys": [key.public_jwk() for key in keys]}


@dataclass(frozen=True, slots=True)
class SealingKey:
    """An X25519 key of an auditor: the public half seals, both halves open."""

    key: OKPKey

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the public key."""
        return self.key.thumbprint()

    def to_json(self, *, private: bool) -> bytes:
        """As a JWK, with or without the private half."""
        return json.dumps({**self.key.as_dict(private=private), "use": "enc"}).encode()


def new_sealing_key() -> SealingKey:
    """A fresh pair."""
    return SealingKey(OKPKey.generate_key("X25519", private=True))


def read_sealing_key(content: bytes, *, private: bool) -> SealingKey:
    """Raises ValueError if the bytes are no X25519 JWK, or one without the private half where that is needed."""
    key = _okp(json.loads(content), curve="X25519")
    if private and not key.is_private:
        raise ValueError("not a private key")
    return SealingKey(key if private else OKPKey.import_key(key.as_dict(private=False)))


def seal_for(content: bytes, *, key: SealingKey) -> str:
    """A compact JWE that only the private half opens (ECDH-ES+A256KW over X25519, A256GCM)."""
    header = {**_SEALING, "kid": key.kid}
    return jwe.encrypt_compact(header, content, key.key, algorithms=list(_SEALING.values()))


def unseal(text: str, *, key: SealingKey) -> bytes:
    """The content of a JWE. Raises SealInvalidError if it is none, or was sealed for another key."""
    try:
        opened = jwe.decrypt_compact(text, key.key, algorithms=list(_SEALING.values()))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise SealInvalidError("this key does not open it") from error
    return opened.plaintext or b""


def _okp(jwk: Any, *, curve: str) -> OKPKey:
    try:
        key = OKPKey.import_key(jwk)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a JWK") from error
    if key.curve_name != curve:
        raise ValueError(f"not a key of {curve}")
    return key
