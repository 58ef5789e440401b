"""Bodies of reports that something was not the person it was said to be."""

from datetime import datetime

from pydantic import ConfigDict, Field

from api.schemas.base import EXAMPLE_TIME, Body, Secret

_CODE = "k3v9x2m7q4t8w6z1.p5r7t9v1.Zm9v…"


class DisputeLinkBody(Body):
    """The code is shown once; only its hash is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"code": _CODE, "url": f"https://verify.example/report#{_CODE}", "expires_at": EXAMPLE_TIME}]
        }
    )

    code: str = Field(description="for the fragment of a link in the notice that the person gets")
    url: str = Field(description="such a link, to the service's own page")
    expires_at: datetime


class DisputeCode(Body):
    """The code of a link, from its fragment."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": _CODE}]})

    code: Secret


class DisputedIntentBody(Body):
    """What was confirmed in the person's name."""

    zh: str
    en: str


class DisputeBody(Body):
    """What was done in a person's name, and whether they have objected."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "requester": "市场监督管理局",
                    "action": "capital.increase",
                    "role": "shareholder",
                    "name_masked": "张*",
                    "intent": {"zh": "……", "en": "…"},
                    "verified_at": EXAMPLE_TIME,
                    "disputed_at": None,
                    "expires_at": EXAMPLE_TIME,
                }
            ]
        }
    )

    requester: str
    action: str
    role: str
    name_masked: str
    intent: DisputedIntentBody
    verified_at: datetime | None = Field(description="null if nobody was verified as this person")
    disputed_at: datetime | None
    expires_at: datetime
