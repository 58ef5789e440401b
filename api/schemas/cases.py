"""Bodies of cases."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import (
    EXAMPLE_CASE,
    EXAMPLE_HASH,
    EXAMPLE_PHOTO,
    EXAMPLE_SUBJECT,
    EXAMPLE_TIME,
    Body,
    Name,
    Photo,
    Sha256,
)

Provenance = Literal["authority", "card_capture", "client_upload"]


class IdDocumentBody(Body):
    """An ID document. The number is kept only as a keyed hash and in a masked form."""

    type: str = Field(max_length=64, description="for example `cn_resident_id`, `passport`")
    number: str = Field(min_length=1, max_length=64, repr=False)


class ReferenceBody(Body):
    """The ID photo that the live person is compared with."""

    photo: Photo
    provenance: Provenance = Field(description="who vouches for the photo")


class NewSubjectBody(Body):
    """One person in one role."""

    name: Name = Field(repr=False)
    role: str = Field(max_length=64, description="for example `shareholder`, `legal_representative`")
    id_document: IdDocumentBody
    reference: ReferenceBody


class RuleBody(Body):
    """Whose verification the case needs: everybody's, or that of `k` people."""

    kind: Literal["all", "k_of_n"] = "all"
    k: int | None = Field(default=None, ge=1, description="for `k_of_n` only")


class NewCaseBody(Body):
    """A filing and the people who must verify for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "capital.increase",
                    "document_sha256": EXAMPLE_HASH,
                    "external_id": "2026-000123",
                    "deadline": EXAMPLE_TIME,
                    "rule": {"kind": "all"},
                    "subjects": [
                        {
                            "name": "张三",
                            "role": "shareholder",
                            "id_document": {"type": "cn_resident_id", "number": "310115199001011234"},
                            "reference": {"photo": EXAMPLE_PHOTO, "provenance": "authority"},
                        }
                    ],
                }
            ]
        }
    )

    action: str = Field(max_length=64, description="`company.establish`, `capital.increase`, `share.transfer`, …")
    document_sha256: Sha256
    subjects: tuple[NewSubjectBody, ...] = Field(min_length=1, max_length=500)
    rule: RuleBody = RuleBody()
    external_id: str | None = Field(default=None, max_length=200, description="the client's own number of the filing")
    deadline: datetime | None = Field(default=None, description="with time zone; 30 days from now if missing")


class SubjectBody(Body):
    """One person of the roster, as the client may see it."""

    id: str
    role: str
    name_masked: str
    id_masked: str
    provenance: Provenance
    reference_state: str = Field(description="`portrait` before consent, then `template`; `unusable` or `erased`")
    reference_reason: str | None = Field(default=None, description="why the ID photo cannot be used")
    state: str = Field(description="`pending`, `verified`, `redeemed`, `declined` or `reference_unusable`")


class CaseBody(Body):
    """A case and how far its people are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_CASE,
                    "state": "open",
                    "mode": "live",
                    "action": "capital.increase",
                    "document_sha256": EXAMPLE_HASH,
                    "external_id": "2026-000123",
                    "roster_version": 1,
                    "rule": {"kind": "all"},
                    "opened_at": EXAMPLE_TIME,
                    "deadline": EXAMPLE_TIME,
                    "subjects": [
                        {
                            "id": EXAMPLE_SUBJECT,
                            "role": "shareholder",
                            "name_masked": "张*",
                            "id_masked": "3101**********1234",
                            "provenance": "authority",
                            "reference_state": "portrait",
                            "state": "pending",
                        }
                    ],
                }
            ]
        }
    )

    id: str
    state: str = Field(description="`open`, `completed`, `expired` or `cancelled`")
    mode: str = Field(description="`live` or `test`")
    action: str
    document_sha256: str
    external_id: str | None
    roster_version: int
    rule: RuleBody
    reason: str | None = Field(default=None, description="why it was cancelled")
    opened_at: datetime
    deadline: datetime
    subjects: tuple[SubjectBody, ...]


class CasesBody(Body):
    """Some of the calling client's cases, newest first."""

    cases: tuple[CaseBody, ...]
    next_cursor: str | None = Field(description="`cursor` of the next page; null: there are no more")


class CancelCase(Body):
    """Why a case is cancelled; a code, no text about people."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "withdrawn"}]})

    reason: Literal["withdrawn", "mistake", "superseded", "fraud_suspected"]
