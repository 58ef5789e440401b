"""The case file: everything that belongs to one case, as one frozen value, and its form in the store.

All transitions of a case read one case file and write one; times are Unix seconds by the store's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import msgspec
from msgspec import structs

Provenance = Literal["authority", "card_capture", "client_upload"]
Mode = Literal["live", "test"]
Language = Literal["zh", "en"]
Channel = Literal["sms", "email"]
Words = tuple[str, str]
"""Chinese, English."""
Need = Literal["all"] | int
"""How many of a role must verify: everybody, or that many people."""


class CaseState(StrEnum):
    """Open until one of the three ends."""

    OPEN = "open"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class ReferenceState(StrEnum):
    """What is kept of a subject's ID photo."""

    AWAITED = "awaited"
    """An authority holds the photo; it is fetched once the person has consented."""
    PORTRAIT = "portrait"
    """The uploaded photo, encrypted; nobody has consented yet."""
    TEMPLATE = "template"
    UNUSABLE = "unusable"
    ERASED = "erased"


class InviteState(StrEnum):
    """The course of an invite."""

    ISSUED = "issued"
    CONSENTED = "consented"
    EXCHANGED = "exchanged"
    DECLINED = "declined"
    REVOKED = "revoked"


class SessionState(StrEnum):
    """The course of a session."""

    OPEN = "open"
    CLAIMED = "claimed"
    FINISHED = "finished"


class VerificationState(StrEnum):
    """The course of a verification."""

    ACTIVE = "active"
    REDEEMED = "redeemed"
    REVOKED = "revoked"


class MessageKind(StrEnum):
    """What a message to a person is for."""

    INVITATION = "invitation"
    REMINDER = "reminder"
    RESULT = "result"
    """That their identity was used, with a link by which they can say that it was not they."""


class MessageState(StrEnum):
    """The course of a message; the last three are ends."""

    WAITING = "waiting"
    """For what it tells of to happen."""
    QUEUED = "queued"
    SENT = "sent"
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whose verification the case needs: everybody's, that of `k` people, or of each role everybody's or a number."""

    kind: Literal["all", "k_of_n", "per_role"] = "all"
    k: int | None = None
    roles: Mapping[str, Need] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """A sum as exact decimal text, and its currency (ISO 4217)."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What the filing is about, in fields that the statement of intent is made of."""

    company_name: str | None = None
    registered_capital: Money | None = None
    counterparty: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBehalfOf:
    """Whom a subject stands for: an organisation by its credit code, or a principal by the deputy's appointment."""

    kind: Literal["organisation", "deputy"]
    id: str
    name: str
    """Of an organisation in full, of a principal masked."""
    share_percent: str | None = None
    """Of an organisation."""
    principal_hash: str | None = None
    """Of a principal's ID."""
    principal_stateless_hash: str = ""
    """Of a principal's passport with its issuing state, as a subject's `stateless_hash`."""
    until: float | None = None
    """Unix seconds at which an appointment ends."""


NO_DETAILS = Details()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One filing."""

    id: str
    client: str
    client_name: str
    mode: Mode
    action: str
    document_sha256: str
    external_id: str | None
    rule: Rule
    roster_version: int
    state: CaseState
    reason: str | None
    opened_at: float
    deadline: float
    wrapped_key: bytes
    """The case's own AES key, wrapped by a key that lives outside the store."""
    action_words: Words | None = None
    """Of an action that the client has registered; the statutory ones' are in `verify.actions`."""
    details: Details = NO_DETAILS
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One person in one role. One that was removed from the roster stays, without personal data, for the record."""

    id: str
    role: str
    name_masked: str
    name_sealed: bytes
    id_type: str
    id_masked: str
    id_hash: str
    provenance: Provenance
    reference_state: ReferenceState
    reference_version: int
    reference_contract: str | None
    reference_reason: str | None
    role_words: Words | None = None
    """Of a role that the client has defined."""
    share_percent: str | None = None
    on_behalf_of: OnBehalfOf | None = None
    removed: bool = False
    id_sealed: bytes = b""
    """The number of the ID document, only while the photo is still to be fetched by it."""
    reference_warnings: tuple[str, ...] = ()
    """Quality components of the ID photo that are warned of (`verify.reference_quality`), once it was looked at."""
    stateless_hash: str = ""
    """Of a passport with its issuing state: what `id_hash` would be without; "" of any other document."""

    @property
    def person(self) -> str:
        """The same for all subjects who are one natural person; who was erased is nobody else."""
        return self.id_hash or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A legal person in one role; subjects with that role sign for it."""

    id: str
    role: str
    name: str
    credit_code: str
    share_percent: str | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Who agreed to what text, when. The statement of intent was confirmed with it."""

    version: str
    sha256: str
    intent_sha256: str
    language: Language
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """A single-use link for one subject; after the exchange it carries the capture grant."""

    id: str
    subject_id: str
    secret_hash: str
    issued_at: float
    expires_at: float
    state: InviteState
    attempts_left: int
    consent: Consent | None = None
    grant_hash: str | None = None
    grant_expires_at: float | None = None
    return_url: str | None = None
    """Where the page offers to go at the end; on an origin that was registered for the client at that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One live attempt."""

    id: str
    invite_id: str
    subject_id: str
    secret_hash: str
    state: SessionState
    opened_at: float
    claim_until: float
    expires_at: float
    challenge_id: str | None = None
    cues: tuple[str, ...] = ()
    outcome: str | None = None
    reason: str | None = None
    """Public reason code."""
    device: str | None = None
    """Hash of what the phone's page calls itself; None if it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """An accepted decision, valid for a time for exactly this case, subject, role, action and document."""

    id: str
    subject_id: str
    role: str
    action: str
    roster_version: int
    document_sha256: str
    intent_sha256: str
    provenance: Provenance
    method: Literal["remote", "in_person"]
    capture: str
    policy: str
    session_id: str
    verified_at: float
    valid_until: float
    epoch: int
    state: VerificationState
    token_id: str | None = None
    token_expires_at: float | None = None
    former: str | None = None
    """Hash of the ID of whose it was, once another person has taken their place; None: whoever stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a redemption leaves: the claims, their signed text, and who redeemed."""

    id: str
    verification_id: str
    token_id: str
    client: str
    redeemed_at: float
    claims: Mapping[str, str | int]
    text: str
    """Signed when it was redeemed: the same text for ever, whichever key signs today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeLink:
    """A link by which a person can report that it was not they (`verify.disputes`)."""

    id: str
    subject_id: str
    secret_hash: str
    issued_at: float
    expires_at: float
    disputed_at: float | None = None
    former: Subject | None = None
    """Whose it is, as they stood there last, once another person has taken their place (`verify.former`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the service sends to a person (`verify.messages`). Contact and link are sealed, and only kept to be sent."""

    id: str
    kind: MessageKind
    subject_id: str
    invite_id: str
    """Of the invite that it came with."""
    channel: Channel
    language: Language
    to_masked: str
    to_sealed: bytes
    code_sealed: bytes
    """The code in the message's link."""
    state: MessageState
    due_at: float | None
    """When it is to be tried next, while it is queued."""
    until: float
    """From when on it is of no use."""
    attempts: int = 0
    reason: str | None = None
    """Why it is not sent, or the latest attempt was not accepted."""
    sent_at: float | None = None


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """All of one case. `head` is the hash of the newest audit entry, `entries` how many there are.

    A struct: every transition makes several, and copies of structs are made in C.
    """

    case: Case
    subjects: Mapping[str, Subject] = msgspec.field(default_factory=dict)
    """Also those that were removed; `roster` is without them."""
    organisations: Mapping[str, Organisation] = msgspec.field(default_factory=dict)
    invites: Mapping[str, Invite] = msgspec.field(default_factory=dict)
    sessions: Mapping[str, Session] = msgspec.field(default_factory=dict)
    verifications: Mapping[str, Verification] = msgspec.field(default_factory=dict)
    receipts: Mapping[str, Receipt] = msgspec.field(default_factory=dict)
    dispute_links: Mapping[str, DisputeLink] = msgspec.field(default_factory=dict)
    messages: Mapping[str, Message] = msgspec.field(default_factory=dict)
    head: str = ""
    entries: int = 0

    @property
    def roster(self) -> Mapping[str, Subject]:
        """The subjects who are on the roster now."""
        return {key: subject for key, subject in self.subjects.items() if not subject.removed}

    @property
    def legal_persons(self) -> Mapping[str, Organisation]:
        """The organisations that are on the roster now."""
        return {key: each for key, each in self.organisations.items() if not each.removed}

    def with_(self, *entities: "Entity") -> "CaseFile":
        """The same file with these entities added or replaced."""
        changed: dict[str, Any] = {}
        for entity in entities:
            if isinstance(entity, Case):
                changed["case"] = entity
            else:
                attribute = _ATTRIBUTES[type(entity)]
                changed[attribute] = {**changed.get(attribute, getattr(self, attribute)), entity.id: entity}
        return structs.replace(self, **changed) if changed else self


Entity = Case | Subject | Organisation | Invite | Session | Verification | Receipt | DisputeLink | Message

_KINDS: Mapping[str, tuple[str, type[Entity]]] = {
    "subject": ("subjects", Subject),
    "organisation": ("organisations", Organisation),
    "invite": ("invites", Invite),
    "session": ("sessions", Session),
    "verification": ("verifications", Verification),
    "receipt": ("receipts", Receipt),
    "dispute_link": ("dispute_links", DisputeLink),
    "message": ("messages", Message),
}
_ATTRIBUTES = {kind: attribute for attribute, kind in _KINDS.values()}
_ENCODE = msgspec.json.Encoder()
_DECODE = {name: msgspec.json.Decoder(kind) for name, (_, kind) in _KINDS.items()}
_DECODE_CASE = msgspec.json.Decoder(Case)
_DECODE_SUBJECT = msgspec.json.Decoder(Subject)


def changed_fields(before: CaseFile | None, after: CaseFile) -> dict[str, bytes]:
    """Store fields that differ: one for the case, one for each entity."""
    changed: dict[str, bytes] = {}
    if before is None or _differ(before.case, after.case):
        changed["case"] = _ENCODE.encode(after.case)
    for name, (attribute, _) in _KINDS.items():
        old: Mapping[str, Entity] = getattr(before, attribute) if before is not None else {}
        new: Mapping[str, Entity] = getattr(after, attribute)
        if old is new:
            continue
        changed |= {f"{name}:{key}": _ENCODE.encode(new[key]) for key in new if _differ(old.get(key), new[key])}
    return changed


def _differ(old: Entity | None, new: Entity) -> bool:
    """Most of a file is the very same object after a transition as before."""
    return old is not new and old != new


def decode_case(content: bytes) -> Case:
    """A case from its store field."""
    return _DECODE_CASE.decode(content)


def decode_subject(content: bytes) -> Subject:
    """A subject from its store field."""
    return _DECODE_SUBJECT.decode(content)


def decode_file(fields: Mapping[str, bytes]) -> CaseFile:
    """A case file from its store fields.

    Raises:
        KeyError, msgspec.ValidationError: the fields are no case file.
    """
    collected: dict[str, dict[str, Entity]] = {name: {} for name in _KINDS}
    for name, content in fields.items():
        kind, _, key = name.partition(":")
        if key:
            collected[kind][key] = _DECODE[kind].decode(content)
    return CaseFile(
        case=_DECODE_CASE.decode(fields["case"]),
        head=fields["head"].decode(),
        entries=int(fields["entries"]),
        **{_KINDS[name][0]: entities for name, entities in collected.items()},  # type: ignore[arg-type]
    )
