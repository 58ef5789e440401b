"""The base of all bodies, and the types that several of them share."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Body(BaseModel):
    """A request or response body: frozen, and no field that is not documented."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _decoded(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be a base64 string")  # noqa: TRY004 - pydantic turns ValueError into a named field
    try:
        return b64decode(value, validate=True)
    except Base64Error:
        raise ValueError("is not base64 (RFC 4648, section 4, without line breaks)") from None


Photo = Annotated[
    bytes,
    BeforeValidator(_decoded, json_schema_input_type=str),
    Field(description="JPEG, PNG or WebP in base64 (RFC 4648, section 4)", repr=False),
]

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256, 64 lower-case hexadecimal characters")]

Secret = Annotated[str, Field(min_length=1, max_length=512, repr=False)]

SignedToken = Annotated[str, Field(min_length=1, max_length=4096, repr=False)]
"""A compact JWS; ours have some 1,100 characters."""

Share = Annotated[
    str, Field(max_length=16, description="percent as a decimal string, above 0 and up to 100, up to 6 places")
]

Name = Annotated[str, Field(min_length=1, max_length=200)]

EXAMPLE_PHOTO = "/9j/4AAQSkZJRgABAQ…"
EXAMPLE_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EXAMPLE_CASE = "case_k3v9x2m7q4t8w6z1"
EXAMPLE_SUBJECT = "sub_a1b2c3d4"
EXAMPLE_SESSION = "ses_k3v9x2m7q4t8w6z1_p5r7"
EXAMPLE_TIME = "2026-11-24T09:30:00Z"
