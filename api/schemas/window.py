"""Bodies of what an officer records at the window."""

from datetime import datetime

from pydantic import ConfigDict, Field

from api.schemas.base import EXAMPLE_HASH, EXAMPLE_TIME, Body, Sha256
from api.schemas.cases import IdDocumentBody
from api.schemas.invites import IntentTextBody
from verify.officers import Reason


class WindowBody(Body):
    """What an officer reads to the person before recording anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "capital.increase",
                    "role": "shareholder",
                    "name_masked": "张*",
                    "intent": {"zh": "我以股东身份…", "en": "As shareholder I…", "sha256": EXAMPLE_HASH},
                }
            ]
        }
    )

    action: str
    role: str
    name_masked: str
    intent: IntentTextBody


class InPersonBody(Body):
    """That the person was there, with this ID document, and confirmed this intent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "referred",
                    "id_document": {"type": "cn_resident_id", "number": "310115199001011232"},
                    "intent_sha256": EXAMPLE_HASH,
                }
            ]
        }
    )

    reason: Reason
    id_document: IdDocumentBody = Field(
        description="as it lies before the officer; must be the one that the case knows"
    )
    intent_sha256: Sha256


class RecordedBody(Body):
    """A verification that was made in person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"verification": "ver_k3v9x2m7q4t8w6z1", "method": "in_person", "valid_until": EXAMPLE_TIME}]
        }
    )

    verification: str
    method: str
    valid_until: datetime
