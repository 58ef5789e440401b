"""Bodies of invites: what a phone asks before the camera opens."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import EXAMPLE_CASE, EXAMPLE_HASH, EXAMPLE_TIME, Body, Secret, Sha256
from api.schemas.messages import MessageBody
from verify.casefile import InviteState
from verify.identifiers import FORM_OF_32_BYTES
from verify.invites import Ended

_CODE = "k3v9x2m7q4t8w6z1.p5r7t9v1.Zm9v…"


class DeliverBody(Body):
    """Where and how the service sends the link. The contact is kept encrypted, and only as long as it is needed."""

    channel: Literal["sms", "email"]
    to: str = Field(
        min_length=3,
        max_length=254,
        repr=False,
        description="a mobile number in E.164, such as +8613812345678, or an e-mail address",
    )
    language: Literal["zh", "en"] = "zh"
    reminders: bool = Field(default=True, description="remind the person before the link ends, as the operator has set")
    result: bool = Field(
        default=False,
        description='tell the person once their identity was used, with a link by which to report "this was not me"',
    )


class NewInviteBody(Body):
    """A new link. Without `deliver` the client passes it on itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"deliver": {"channel": "sms", "to": "+8613812345678", "language": "zh", "result": True}}]
        }
    )

    deliver: DeliverBody | None = None
    return_url: str | None = Field(
        default=None,
        max_length=1000,
        description="where the page offers to go at the end; on an origin that the operator has registered",
    )


class IssuedInviteBody(Body):
    """The code is shown once; only its hash is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"code": _CODE, "url": f"https://verify.example/#{_CODE}", "expires_at": EXAMPLE_TIME, "attempts": 3}
            ]
        }
    )

    code: str
    url: str = Field(description="the code is in the fragment, which no server and no link preview gets to see")
    expires_at: datetime
    attempts: int
    messages: tuple[MessageBody, ...] = Field(default=(), description="what the service sends to the person")


class InviteCode(Body):
    """The code of an invite, from the fragment of its link."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": _CODE}]})

    code: Secret


class ExchangeBody(Body):
    """The code of an invite, and the secret that its grant shall have."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": _CODE}]})

    code: Secret
    grant_secret: str | None = Field(
        default=None,
        pattern=f"^{FORM_OF_32_BYTES}$",
        repr=False,
        description="32 random bytes of the phone's own in base64url without padding, never the link's: with the same "
        "ones the exchange may be repeated while the grant holds. Left out, the service draws them, once",
    )


class ConsentBody(Body):
    """What the person agreed to, or declined, word for word by hash, before any pixel."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": _CODE,
                    "agreed": True,
                    "consent_version": "2026-11.3",
                    "consent_sha256": EXAMPLE_HASH,
                    "intent_sha256": EXAMPLE_HASH,
                    "language": "zh",
                }
            ]
        }
    )

    code: Secret
    agreed: bool
    consent_version: str = Field(max_length=64)
    consent_sha256: Sha256
    intent_sha256: Sha256
    language: Literal["zh", "en"] = "zh"


class GrantBody(Body):
    """The right to open capture sessions."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"grant": "k3v9….Zm9v…", "attempts_left": 3, "expires_at": EXAMPLE_TIME}]}
    )

    grant: str
    attempts_left: int
    expires_at: datetime


class QrCodeBody(Body):
    """A QR code to be drawn: SVG path data of strokes one unit thick, on a square of `size` units, light around it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"size": 37, "path": "M4 4.5h7M12 4.5h2…"}]})

    size: int
    path: str


class ConsentTextBody(Body):
    """The consent text in force, in both languages, with the hash of each."""

    version: str
    zh: str
    en: str
    sha256: dict[str, str] = Field(description="by language; hexadecimal SHA-256 of the text's UTF-8")


class IntentTextBody(Body):
    """What the person says by verifying, in both languages."""

    zh: str
    en: str
    sha256: str = Field(description="one hash over both texts")


class WordsBody(Body):
    """A few words in both languages."""

    zh: str
    en: str


class InviteBody(Body):
    """What the person may see before deciding: who asks, for what, for whom, and the texts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "state": "issued",
                    "case_id": EXAMPLE_CASE,
                    "requester": "Registration window 1",
                    "action": "capital.increase",
                    "action_words": {"zh": "增加注册资本", "en": "increase the registered capital"},
                    "role": "shareholder",
                    "role_words": {"zh": "股东", "en": "shareholder"},
                    "name_masked": "张*",
                    "consent": {
                        "version": "2026-11.3",
                        "zh": "我同意…",
                        "en": "I agree…",
                        "sha256": {"zh": EXAMPLE_HASH, "en": EXAMPLE_HASH},
                    },
                    "intent": {"zh": "我以股东身份…", "en": "As shareholder I…", "sha256": EXAMPLE_HASH},
                    "expires_at": EXAMPLE_TIME,
                    "attempts_left": 3,
                    "return_url": "https://registry.example/filings/7",
                    "ended": None,
                }
            ]
        }
    )

    state: InviteState
    case_id: str = Field(description="what the person names at the window")
    requester: str
    action: str
    action_words: WordsBody
    role: str
    role_words: WordsBody
    name_masked: str
    consent: ConsentTextBody
    intent: IntentTextBody
    expires_at: datetime
    attempts_left: int
    return_url: str | None = Field(description="where a page offers to go at the end, if the client has said so")
    ended: Ended | None = Field(description="of `inspect`: why the link can lead to nothing more, if it cannot")
