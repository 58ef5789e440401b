"""The case file: everything that belongs to one case, as one frozen value, and its form in the store.

All transitions of a case read one case file and write one; times are Unix seconds by the store's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

import msgspec

Provenance = Literal["authority", "card_capture", "client_upload"]
Mode = Literal["live", "test"]
Language = Literal["zh", "en"]


class CaseState(StrEnum):
    """Open until one of the three ends."""

    OPEN = "open"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class ReferenceState(StrEnum):
    """What is kept of a subject's ID photo."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whose verification the case needs: everybody's, or that of `k` people."""

    kind: Literal["all", "k_of_n"] = "all"
    k: int | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One person in one role."""

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
class CaseFile:
    """All of one case. `head` is the hash of the newest audit entry, `entries` how many there are."""

    case: Case
    subjects: Mapping[str, Subject] = field(default_factory=dict)
    invites: Mapping[str, Invite] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    verifications: Mapping[str, Verification] = field(default_factory=dict)
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    head: str = ""
    entries: int = 0

    def with_(self, *entities: "Entity") -> "CaseFile":
        """The same file with these entities added or replaced."""
        file = self
        for entity in entities:
            file = file._with_one(entity)
        return file

    def _with_one(self, entity: "Entity") -> "CaseFile":
        match entity:
            case Case():
                return replace(self, case=entity)
            case Subject():
                return replace(self, subjects={**self.subjects, entity.id: entity})
            case Invite():
                return replace(self, invites={**self.invites, entity.id: entity})
            case Session():
                return replace(self, sessions={**self.sessions, entity.id: entity})
            case Verification():
                return replace(self, verifications={**self.verifications, entity.id: entity})
            case Receipt():
                return replace(self, receipts={**self.receipts, entity.id: entity})


Entity = Case | Subject | Invite | Session | Verification | Receipt

_KINDS: Mapping[str, tuple[str, type[Entity]]] = {
    "subject": ("subjects", Subject),
    "invite": ("invites", Invite),
    "session": ("sessions", Session),
    "verification": ("verifications", Verification),
    "receipt": ("receipts", Receipt),
}
_ENCODE = msgspec.json.Encoder()
_DECODE = {name: msgspec.json.Decoder(kind) for name, (_, kind) in _KINDS.items()}
_DECODE_CASE = msgspec.json.Decoder(Case)


def changed_fields(before: CaseFile | None, after: CaseFile) -> dict[str, bytes]:
    """Store fields that differ: one for the case, one for each entity."""
    changed: dict[str, bytes] = {}
    if before is None or before.case != after.case:
        changed["case"] = _ENCODE.encode(after.case)
    for name, (attribute, _) in _KINDS.items():
        old: Mapping[str, Entity] = getattr(before, attribute) if before is not None else {}
        new: Mapping[str, Entity] = getattr(after, attribute)
        changed |= {f"{name}:{key}": _ENCODE.encode(new[key]) for key in new if old.get(key) != new[key]}
    return changed


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
