"""Bodies of appointments."""

from datetime import datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.base import EXAMPLE_TIME, Body, Name
from api.schemas.cases import IdDocumentBody

_PASSPORT: JsonDict = {"type": "passport", "number": "E12345678"}
_PERIOD: JsonDict = {"valid_from": EXAMPLE_TIME, "valid_until": "2027-11-24T09:30:00Z"}


class IdentityBody(Body):
    """A person, without a photo. Kept as a keyed hash and in masked form only."""

    name: Name = Field(repr=False)
    id_document: IdDocumentBody


class NewAppointmentBody(Body):
    """Who may act for whom, in which actions, from when until when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "deputy": {"name": "李四", "id_document": {"type": "passport", "number": "E87654321"}},
                    "principal": {"name": "张三", "id_document": _PASSPORT},
                    "actions": ["capital.increase"],
                    **_PERIOD,
                }
            ]
        }
    )

    deputy: IdentityBody
    principal: IdentityBody
    actions: tuple[str, ...] = Field(min_length=1, max_length=50)
    valid_from: datetime = Field(description="with time zone")
    valid_until: datetime = Field(description="with time zone; within five years")


class KnownBody(Body):
    """A person of an appointment, as the client may see them."""

    name_masked: str
    id_masked: str


class AppointmentBody(Body):
    """An appointment."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "dep_k3v9x2m7q4t8w6z1",
                    "deputy": {"name_masked": "李*", "id_masked": "E8*****21"},
                    "principal": {"name_masked": "张*", "id_masked": "E1*****78"},
                    "actions": ["capital.increase"],
                    **_PERIOD,
                    "revoked_at": None,
                }
            ]
        }
    )

    id: str
    deputy: KnownBody
    principal: KnownBody
    actions: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None
