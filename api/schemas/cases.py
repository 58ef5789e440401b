"""Bodies of cases."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, RootModel, Tag, field_validator
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

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
    Share,
)
from api.schemas.messages import MessageBody
from verify.casefile import CaseState, InviteState, ReferenceState
from verify.progress import AttemptOutcome
from verify.standing import Standing

Provenance = Literal["authority", "card_capture", "client_upload"]
Role = Annotated[str, Field(max_length=64, description="for example `shareholder`, `legal_representative`")]
CreditCode = Annotated[str, Field(max_length=64, description="unified social credit code (GB 32100-2015)")]
Metadata = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")],
        Annotated[str, Field(max_length=500)],
    ],
    Field(max_length=20, description="the client's own notes; shown to nobody else and part of no statement"),
]


_ORGANISATION: JsonDict = {
    "kind": "organisation",
    "name": "示例投资有限公司",
    "role": "shareholder",
    "credit_code": "91310000775785552L",
    "share_percent": "66.666667",
}
_PERSON: JsonDict = {
    "name": "张三",
    "role": "shareholder",
    "id_document": {"type": "cn_resident_id", "number": "310115199001011232"},
    "signs_for": "91310000775785552L",
    "reference": {"photo": EXAMPLE_PHOTO, "provenance": "authority"},
}


class IdDocumentBody(Body):
    """An ID document. The number is checked by its type's rules and kept only as a keyed hash and in a masked form."""

    type: str = Field(
        max_length=64,
        description="`cn_resident_id`, `hmt_residence_permit`, `passport`, `hk_macau_permit`, `taiwan_permit` or "
        "`foreign_permanent_resident_card`",
    )
    number: str = Field(min_length=1, max_length=64, repr=False)
    issuing_state: str | None = Field(
        default=None,
        max_length=3,
        description="of a passport, as it stands there, three letters or `D`; give it always: one number with and "
        "without it is refused",
    )
    mrz_check_digit: str | None = Field(
        default=None, max_length=1, description="of a passport's number, checked if it is given"
    )


class ReferenceBody(Body):
    """The ID photo that the live person is compared with."""

    photo: Photo
    provenance: Provenance = Field(
        description="where the photo comes from: the client's own word, which the service cannot check"
    )


class HeldReferenceBody(Body):
    """An ID photo that an authority holds: the service fetches it by number and name once the person has consented."""

    source: Literal["authority"]


def reference_of(value: Any) -> str:
    """An authority holds the photo if a `source` is named; else it is sent."""
    held = "source" in value if isinstance(value, dict) else isinstance(value, HeldReferenceBody)
    return "(held)" if held else "(sent)"


Reference = Annotated[
    Annotated[ReferenceBody, Tag("(sent)")] | Annotated[HeldReferenceBody, Tag("(held)")], Discriminator(reference_of)
]
"""Tags stand in parentheses: they are no part of a field's path, and problems leave them out."""


class PersonBody(Body):
    """One person in one role. The same person may be on the roster several times, in other roles or for others."""

    kind: Literal["person"] = "person"
    name: Name = Field(repr=False)
    role: Role
    id_document: IdDocumentBody
    share_percent: Share | None = None
    signs_for: CreditCode | None = Field(
        default=None, description="credit code of the organisation of the roster that the person signs for"
    )
    appointment: str | None = Field(
        default=None, max_length=64, description="under which the person stands as deputy, from `POST /v1/deputies`"
    )


class NewSubjectBody(PersonBody):
    """One person in one role, with the ID photo."""

    reference: Reference


class ReplacedSubjectBody(PersonBody):
    """A person in the place of one who is on the roster. Another ID document needs another reference."""

    reference: Reference | None = Field(default=None, description="missing: the reference stays as it is")


class NewOrganisationBody(Body):
    """An organisation in one role, such as a corporate shareholder. A person with the same role signs for it."""

    kind: Literal["organisation"]
    name: Name
    role: Role
    credit_code: CreditCode
    share_percent: Share | None = None


def kind_of(entry: Any) -> str:
    """`(person)` unless an entry of a roster says otherwise."""
    return f"({entry.get('kind', 'person') if isinstance(entry, dict) else getattr(entry, 'kind', 'person')})"


BY_KIND = Discriminator(
    kind_of, custom_error_type="kind_unknown", custom_error_message="its kind must be 'person' or 'organisation'"
)

NewEntry = Annotated[
    Annotated[NewSubjectBody, Tag("(person)")] | Annotated[NewOrganisationBody, Tag("(organisation)")], BY_KIND
]

ReplacedEntry = Annotated[
    Annotated[ReplacedSubjectBody, Tag("(person)")] | Annotated[NewOrganisationBody, Tag("(organisation)")], BY_KIND
]


class NewEntryBody(RootModel[NewEntry]):
    """An entry for a roster: a person, or an organisation."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PERSON, _ORGANISATION]})


class ReplacedEntryBody(RootModel[ReplacedEntry]):
    """An entry in the place of one of the same kind that is on the roster."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PERSON, _ORGANISATION]})


def needed(value: Any) -> str:
    """A word, or a number of people."""
    return "(word)" if isinstance(value, str) else "(number)"


Needed = Annotated[Annotated[Literal["all"], Tag("(word)")] | Annotated[int, Tag("(number)")], Discriminator(needed)]


class RuleBody(Body):
    """Whose verification the case needs: everybody's, that of `k` different people, or of each role some."""

    kind: Literal["all", "k_of_n", "per_role"] = "all"
    k: int | None = Field(default=None, ge=1, description="for `k_of_n` only")
    roles: dict[str, Needed] | None = Field(
        default=None, max_length=50, description="for `per_role` only: by role `all` or a number of people"
    )


class MoneyBody(Body):
    """A sum of money, exact."""

    amount: str = Field(max_length=20, description="decimal string, up to 2 places")
    currency: str = Field(default="CNY", max_length=3, description="ISO 4217")


class DetailsBody(Body):
    """What the filing is about. Every field that is given is part of what each person confirms."""

    company_name: str | None = Field(default=None, max_length=200)
    registered_capital: MoneyBody | None = None
    counterparty: str | None = Field(default=None, max_length=200)


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
                    "details": {
                        "company_name": "上海示例科技有限公司",
                        "registered_capital": {"amount": "5000000", "currency": "CNY"},
                    },
                    "metadata": {"window": "3"},
                    "subjects": [
                        _ORGANISATION,
                        _PERSON,
                    ],
                }
            ]
        }
    )

    action: str = Field(max_length=64, description="`company.establish`, `capital.increase`, `share.transfer`, …")
    document_sha256: Sha256
    subjects: tuple[NewEntry, ...] = Field(
        min_length=1, max_length=500, description="the roster: people, and organisations for whom people sign"
    )
    rule: RuleBody = RuleBody()
    details: DetailsBody = DetailsBody()
    external_id: str | None = Field(
        default=None, min_length=1, max_length=200, description="the client's own number of the filing"
    )
    metadata: Metadata = Field(default_factory=dict)
    deadline: datetime | None = Field(default=None, description="with time zone; 30 days from now if missing")


class OnBehalfOfBody(Body):
    """Whom a person stands for."""

    kind: Literal["organisation", "deputy"]
    id: str = Field(description="credit code of an organisation, or the deputy's appointment")
    name: str = Field(description="of an organisation in full, of a principal masked")


class OrganisationBody(Body):
    """An organisation on the roster."""

    id: str
    role: str
    name: str
    credit_code: str
    share_percent: str | None = None


class ChangedCaseBody(Body):
    """Fields of a case that shall change; those that are missing stay.

    Another document or other details revoke everybody's verification; the client's own fields nobody's.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"document_sha256": EXAMPLE_HASH, "deadline": EXAMPLE_TIME}]}
    )

    document_sha256: Sha256 | SkipJsonSchema[None] = None
    details: DetailsBody | SkipJsonSchema[None] = Field(
        default=None, description="in place of all details that the case had"
    )
    deadline: datetime | SkipJsonSchema[None] = Field(default=None, description="with time zone")
    external_id: str | None = Field(default=None, min_length=1, max_length=200, description="null: none any more")
    metadata: Metadata | SkipJsonSchema[None] = Field(
        default=None, description="in place of all notes that the case had"
    )

    @field_validator("document_sha256", "details", "deadline", "metadata", mode="before")
    @classmethod
    def _is_something(cls, value: Any) -> Any:
        """Only the client's own number can be taken away."""
        if value is None:
            raise ValueError("cannot be null; leave it out to keep it as it is")
        return value


class ReferenceWarning(Body):
    """One thing that is poor about an ID photo; it refuses nothing."""

    code: str = Field(description="component of face image quality, named as in ISO/IEC 29794-5: `sharpness`, …")
    advice: str | None = Field(description="what is wrong and how to mend it")


class LastAttemptBody(Body):
    """The newest live attempt of a person."""

    outcome: AttemptOutcome | None = Field(
        description="null while it is under way; `timed_out`: it was not begun, or not finished, in time"
    )
    reason: str | None = Field(description="public code of a rejection (`not_verified`) or referral (`use_window`)")
    opened_at: datetime


class LastInviteBody(Body):
    """The newest link of a person."""

    state: InviteState | Literal["expired"]
    expires_at: datetime = Field(description="of the link; once it is exchanged, of the right to make attempts")
    attempts_left: int


class SubjectBody(Body):
    """One person of the roster, as the client may see it."""

    id: str
    role: str
    name_masked: str
    id_masked: str
    share_percent: str | None = None
    on_behalf_of: OnBehalfOfBody | None = None
    provenance: Provenance = Field(description="of a photo that was sent the client's own word; see docs/authority.md")
    reference_state: ReferenceState = Field(
        description="before consent `portrait`, or `awaited` if an authority holds it; then `template`; `unusable`, "
        "`erased`"
    )
    reference_reason: str | None = Field(
        default=None,
        description="why the ID photo cannot be used; `reference_contract_mismatch` of a `template`: send it again",
    )
    reference_warnings: tuple[ReferenceWarning, ...] = Field(
        default=(), description="what is poor about an ID photo that is used all the same; known after consent"
    )
    state: Standing
    last_attempt: LastAttemptBody | None = None
    invite: LastInviteBody | None = None
    verified_at: datetime | None = Field(default=None, description="of the verification that is valid or redeemed")
    valid_until: datetime | None = Field(default=None, description="until when it can be redeemed; null once it is")
    receipt: str | None = Field(default=None, description="id, once redeemed: `GET /v1/receipts/{receipt_id}`")
    messages: tuple[MessageBody, ...] = Field(
        default=(), description="what the service was asked to send to the person, oldest first"
    )
    disputed: bool = Field(default=False, description="whether this person reported that it was not they")


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
                    "details": {"company_name": "上海示例科技有限公司"},
                    "metadata": {},
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
                            "last_attempt": {
                                "outcome": "referred",
                                "reason": "use_window",
                                "opened_at": EXAMPLE_TIME,
                            },
                            "invite": {"state": "exchanged", "expires_at": EXAMPLE_TIME, "attempts_left": 2},
                        }
                    ],
                }
            ]
        }
    )

    id: str
    state: CaseState
    mode: Literal["live", "test"]
    action: str
    document_sha256: str
    external_id: str | None
    roster_version: int
    rule: RuleBody
    details: DetailsBody
    metadata: dict[str, str]
    reason: str | None = Field(
        default=None, description="why it has ended: `rule_met`, `deadline_passed`, or why it was cancelled"
    )
    opened_at: datetime
    deadline: datetime
    subjects: tuple[SubjectBody, ...]
    organisations: tuple[OrganisationBody, ...] = ()


class CasesBody(Body):
    """Some of the calling client's cases, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cases": [], "next_cursor": None}]})

    cases: tuple[CaseBody, ...]
    next_cursor: str | None = Field(description="`cursor` of the next page; null: there are no more")


class CancelCase(Body):
    """Why a case is cancelled; a code, no text about people."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "withdrawn"}]})

    reason: Literal["withdrawn", "mistake", "superseded", "fraud_suspected"]


class NewCasesBody(Body):
    """Cases to open, each on its own: one that cannot be opened keeps no other from it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"cases": [{"action": "capital.increase", "document_sha256": EXAMPLE_HASH, "subjects": []}]}]
        }
    )

    cases: tuple[dict[str, Any], ...] = Field(
        min_length=1, max_length=50, description="bodies of `POST /v1/cases`; each is checked when its turn comes"
    )


class OpenedCaseBody(Body):
    """What became of one case of a batch: the case, or the problem document that kept it from being opened."""

    status: int = Field(description="HTTP status that `POST /v1/cases` would have answered with")
    case: CaseBody | None = None
    problem: dict[str, Any] | None = None


class OpenedCasesBody(Body):
    """What became of each case of a batch, in its order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"results": [{"status": 422, "problem": {"status": 422, "code": "roster_invalid"}}]}]
        }
    )

    results: tuple[OpenedCaseBody, ...]
