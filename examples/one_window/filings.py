"""Filings and companies as this registration service keeps them, and what changes them. No I/O here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

from examples.client import Case

Action = Literal["company.establish", "capital.increase"]

OPENING = "opening"
"""Written down here; heyan has not confirmed the case yet."""
OPEN = "open"
REGISTERED = "registered"
"""All tokens are redeemed, all receipts archived."""

ENDED = ("completed", "cancelled", "expired")
"""States in which heyan lets a case be."""

NOTES: Mapping[str, str] = {
    "subject.consented": "consented",
    "subject.rejected": "rejected",
    "subject.referred": "referred",
    "subject.declined": "declined",
    "subject.disputed": "disputed",
    "reference.delayed": "photo_delayed",
    "reference.unusable": "photo_unusable",
}
"""By type of notice what the window is told about a person beside their state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One person in one role of a filing. `state`: as heyan says; `note`: what came of the last attempt."""

    name: str
    id_type: str
    id_number: str
    role: str
    share_percent: str | None = None
    subject_id: str | None = None
    state: str = "pending"
    note: str | None = None
    noted_at: str = ""
    """Time of the newest notice about the person: notices may overtake each other."""
    link: str | None = None
    """A secret. Forgotten as soon as the person is verified, or the case has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A receipt in the archive, checked against the keys that lie beside it."""

    id: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """One filing. `way`: a random name under which its people see how far it is."""

    id: str
    way: str
    action: Action
    company: str | None
    """Id of the company that is changed; an establishment makes one under the filing's own id."""
    company_name: str
    capital: str
    """Yuan, as a decimal string."""
    parties: tuple[Party, ...]
    filed_at: str
    """RFC 3339."""
    state: str = OPENING
    case_id: str | None = None
    receipts: tuple[Kept, ...] = ()
    problem: str | None = None
    """Code of what heyan refused last; None once it went on."""

    @property
    def document(self) -> bytes:
        """What is filed, and what everybody's verification is bound to: the same text for the same filing."""
        shares = [f"{each.role}: {each.name} {each.share_percent or ''}".rstrip() for each in self.parties]
        lines = [f"filing: {self.id}", f"action: {self.action}", f"company: {self.company_name}"]
        return "\n".join([*lines, f"registered capital: {self.capital} CNY", *shares, ""]).encode()

    @property
    def document_sha256(self) -> str:
        """All that heyan learns of the document."""
        return sha256(self.document).hexdigest()

    def with_party(self, subject_id: str, **changes: str | None) -> "Filing":
        """The same filing with one person changed."""
        changed = (
            replace(each, **changes) if each.subject_id == subject_id else each  # type: ignore[arg-type]
            for each in self.parties
        )
        return replace(self, parties=tuple(changed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A registered company; its licence is made of this."""

    id: str
    name: str
    capital: str
    legal_representative: str
    registered_at: str
    licensed_at: str
    parties: tuple[Party, ...]
    """Those who must verify for the next change, without what was theirs in the last filing."""


def opened(filing: Filing, case: Case) -> Filing:
    """The filing with its case: heyan keeps the order of the roster."""
    numbered = zip(filing.parties, case.subjects, strict=True)
    parties = tuple(replace(party, subject_id=subject.id) for party, subject in numbered)
    return replace(filing, state=OPEN, case_id=case.id, parties=parties, problem=None)


def followed(filing: Filing, case: Case) -> Filing:
    """The filing as far as its case is now."""
    ended = case.state in ENDED
    parties = tuple(_followed(party, case, ended=ended) for party in filing.parties)
    state = case.state if ended and case.state != "completed" else filing.state
    return replace(filing, parties=parties, state=state, problem=None)


def _followed(party: Party, case: Case, *, ended: bool) -> Party:
    state = case.subject(party.subject_id or "").state
    settled = ended or state in {"verified", "redeemed"}
    return replace(party, state=state, link=None if settled else party.link, note=None if settled else party.note)


def noted(filing: Filing, kind: str, subject_id: str, *, at: str) -> Filing:
    """The filing with what a notice says about a person, unless a newer one has come before it."""
    newer = any(each.subject_id == subject_id and each.noted_at > at for each in filing.parties)
    return filing if newer or kind not in NOTES else filing.with_party(subject_id, note=NOTES[kind], noted_at=at)


def registered(
    filing: Filing, *, receipts: tuple[Kept, ...], before: Company | None, now: str
) -> tuple[Filing, Company]:
    """The filing at its end, and the company that comes of it."""
    done = replace(filing, state=REGISTERED, receipts=receipts, problem=None)
    if before is not None:
        return done, replace(before, capital=filing.capital, licensed_at=now)
    plain = tuple(
        Party(name=p.name, id_type=p.id_type, id_number=p.id_number, role=p.role, share_percent=p.share_percent)
        for p in filing.parties
    )
    company = Company(
        id=filing.id,
        name=filing.company_name,
        capital=filing.capital,
        legal_representative=next((p.name for p in plain if p.role == "legal_representative"), ""),
        registered_at=now,
        licensed_at=now,
        parties=plain,
    )
    return done, company
