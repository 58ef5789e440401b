"""Bodies of tokens, redemptions and receipts."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.base import EXAMPLE_CASE, EXAMPLE_HASH, EXAMPLE_SUBJECT, EXAMPLE_TIME, Body, Sha256, SignedToken
from verify.tokens import TokenClaims

RosterVersion = Annotated[int, Field(ge=1, strict=True)]

_RESTATED: JsonDict = {
    "case_id": EXAMPLE_CASE,
    "subject_id": EXAMPLE_SUBJECT,
    "action": "capital.increase",
    "role": "shareholder",
    "roster_version": 1,
    "document_sha256": EXAMPLE_HASH,
}


class MintedTokenBody(Body):
    """A one-time token. Minting again cancels it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "eyJ…", "expires_at": EXAMPLE_TIME}]})

    token: str = Field(description="compact JWS (Ed25519)")
    expires_at: datetime


class RestatedBody(Body):
    """What the redeemer believes the token is for; a mismatch is refused and burns nothing."""

    case_id: str
    subject_id: str
    action: str
    role: str
    roster_version: RosterVersion
    document_sha256: Sha256


class RedeemToken(RestatedBody):
    """One token with its restated fields."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "eyJ…", **_RESTATED}]})

    token: SignedToken


class SubjectToken(Body):
    """The token of one person, with the fields that differ from person to person."""

    token: SignedToken
    subject_id: str
    role: str


class RedeemCase(Body):
    """The tokens of several people of one case: all are redeemed, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "capital.increase",
                    "roster_version": 1,
                    "document_sha256": EXAMPLE_HASH,
                    "tokens": [{"token": "eyJ…", "subject_id": EXAMPLE_SUBJECT, "role": "shareholder"}],
                }
            ]
        }
    )

    action: str
    roster_version: RosterVersion
    document_sha256: Sha256
    tokens: tuple[SubjectToken, ...] = Field(min_length=1, max_length=500)


class IntrospectToken(Body):
    """A token to look at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "eyJ…"}]})

    token: SignedToken


class IntrospectionBody(Body):
    """Whether the token could be redeemed now by the client that asks, and then what it says."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": True, **_RESTATED}, {"active": False}]})

    active: bool
    iss: str | None = None
    aud: str | None = None
    jti: str | None = None
    iat: int | None = None
    exp: int | None = None
    case_id: str | None = None
    subject_id: str | None = None
    action: str | None = None
    role: str | None = None
    on_behalf_of: str | None = None
    roster_version: int | None = None
    document_sha256: str | None = None


def introspection_body(claims: TokenClaims | None) -> IntrospectionBody:
    """The answer about a token; None stands for one that cannot be redeemed."""
    if claims is None:
        return IntrospectionBody(active=False)
    return IntrospectionBody(
        active=True,
        iss=claims.iss,
        aud=claims.aud,
        jti=claims.jti,
        iat=claims.iat,
        exp=claims.exp,
        case_id=claims.case,
        subject_id=claims.subject,
        action=claims.action,
        role=claims.role,
        on_behalf_of=claims.on_behalf_of,
        roster_version=claims.roster_version,
        document_sha256=claims.document_sha256,
    )
