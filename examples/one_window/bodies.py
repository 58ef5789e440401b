"""What the window's pages send and are shown."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from examples.one_window.desk import Wanted
from examples.one_window.filings import Company, Filing, Party

MOST_PHOTO = 6_000_000
"""Bytes."""

IdType = Literal[
    "cn_resident_id",
    "hmt_residence_permit",
    "passport",
    "hk_macau_permit",
    "taiwan_permit",
    "foreign_permanent_resident_card",
]
RoleName = Literal["shareholder", "legal_representative", "finance_head", "director", "supervisor", "agent"]
Capital = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,11}(\.[0-9]{1,2})?$")]


class Body(BaseModel):
    """No field that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _decoded(value: object) -> bytes:
    try:
        return b64decode(str(value), validate=True)
    except (Base64Error, ValueError):
        raise ValueError("is not base64") from None


Photo = Annotated[bytes, BeforeValidator(_decoded), Field(min_length=1, max_length=MOST_PHOTO)]


class PersonBody(Body):
    """One person, who may have several roles."""

    name: str = Field(min_length=1, max_length=100)
    id_type: IdType
    id_number: str = Field(min_length=1, max_length=64)
    roles: tuple[RoleName, ...] = Field(min_length=1, max_length=6)
    share_percent: str | None = Field(default=None, max_length=16)
    photo: Photo


class EstablishmentBody(Body):
    """A company that is to be established."""

    company_name: str = Field(min_length=1, max_length=100)
    capital: Capital
    people: tuple[PersonBody, ...] = Field(min_length=1, max_length=50)

    def wanted(self) -> Wanted:
        """One party for each role, as heyan verifies a person for one role."""
        both = [(person, role) for person in self.people for role in dict.fromkeys(person.roles)]
        return Wanted(
            action="company.establish",
            company=None,
            company_name=self.company_name,
            capital=self.capital,
            parties=tuple(_party(person, role) for person, role in both),
            photos=tuple(person.photo for person, _ in both),
        )


class IncreaseBody(Body):
    """A capital increase: `photos` by number of the ID document, of everybody who verifies."""

    capital: Capital
    photos: dict[str, Photo] = Field(max_length=50)


class PartyView(Body):
    """A person of a filing, for the window."""

    name: str
    role: str
    share_percent: str | None
    state: str
    note: str | None
    link: str | None


class FilingView(Body):
    """A filing, for the window."""

    id: str
    action: str
    company: str | None
    company_name: str
    capital: str
    state: str
    filed_at: str
    case_id: str | None
    document_sha256: str
    problem: str | None
    parties: tuple[PartyView, ...]
    receipts: tuple[str, ...]
    test: bool


class SignerView(Body):
    """A person who verifies for the next change."""

    name: str
    id_number: str
    roles: tuple[str, ...]


class CompanyView(Body):
    """A company, for its licence and for the next filing."""

    id: str
    name: str
    capital: str
    legal_representative: str
    registered_at: str
    licensed_at: str
    signers: tuple[SignerView, ...]


class OverviewView(Body):
    """All that the window has. `test`: on a key of test mode people verify by their names."""

    test: bool
    filings: tuple[FilingView, ...]
    companies: tuple[CompanyView, ...]


class WayBackView(Body):
    """All that a person who comes back from verifying is told: nothing about anybody."""

    company_name: str
    action: str
    state: str
    done: int
    total: int


def filing_view(filing: Filing, *, test: bool) -> FilingView:
    """Without ID numbers; a registered filing leads to its company."""
    parties = tuple(
        PartyView(
            name=each.name,
            role=each.role,
            share_percent=each.share_percent,
            state=each.state,
            note=each.note,
            link=each.link,
        )
        for each in filing.parties
    )
    company = filing.company or (filing.id if filing.state == "registered" else None)
    return FilingView(
        id=filing.id,
        action=filing.action,
        company=company,
        company_name=filing.company_name,
        capital=filing.capital,
        state=filing.state,
        filed_at=filing.filed_at,
        case_id=filing.case_id,
        document_sha256=filing.document_sha256,
        problem=filing.problem,
        parties=parties,
        receipts=tuple(each.file for each in filing.receipts),
        test=test,
    )


def company_view(company: Company, *, signing: tuple[Party, ...]) -> CompanyView:
    """A person with several roles is one who signs."""
    roles: dict[tuple[str, str], tuple[str, ...]] = {}
    for each in signing:
        roles[each.name, each.id_number] = (*roles.get((each.name, each.id_number), ()), each.role)
    signers = tuple(SignerView(name=name, id_number=number, roles=held) for (name, number), held in roles.items())
    return CompanyView(
        id=company.id,
        name=company.name,
        capital=company.capital,
        legal_representative=company.legal_representative,
        registered_at=company.registered_at,
        licensed_at=company.licensed_at,
        signers=signers,
    )


def way_back_view(filing: Filing) -> WayBackView:
    """How far a filing is."""
    done = sum(each.state in {"verified", "redeemed"} for each in filing.parties)
    return WayBackView(
        company_name=filing.company_name,
        action=filing.action,
        state=filing.state,
        done=done,
        total=len(filing.parties),
    )


def _party(person: PersonBody, role: RoleName) -> Party:
    share = person.share_percent if role == "shareholder" else None
    return Party(name=person.name, id_type=person.id_type, id_number=person.id_number, role=role, share_percent=share)
