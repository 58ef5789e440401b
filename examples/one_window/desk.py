"""The window's work: what it asks heyan for, and what it makes of what heyan tells. Errors go to the caller."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock

from standardwebhooks import Webhook

from examples.client import Case, Heyan, HeyanError, NewSubject, Receipt
from examples.one_window.archive import archive
from examples.one_window.filings import (
    OPEN,
    OPENING,
    Action,
    Company,
    Filing,
    Party,
    followed,
    noted,
    opened,
    registered,
)
from examples.one_window.ledger import Ledger

HOOK = "/hooks/heyan"
REFUSED = range(400, 500)
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a clerk has entered; `photos` in the order of `parties`, several times the same for several roles."""

    action: Action
    company: str | None
    company_name: str
    capital: str
    parties: tuple[Party, ...]
    photos: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One window. `own_url`: where its pages are, and heyan sends notices; `test`: its key is of test mode."""

    heyan: Heyan
    ledger: Ledger
    archive: Path
    own_url: str
    test: bool
    links_back: bool = True
    changed: Callable[[Filing], None] = lambda _: None
    """Told of every filing that has changed."""
    _opening: Lock = field(default_factory=Lock)

    # Notices

    def listen(self) -> None:
        """Have heyan send its notices here; once, as long as our address stays the same."""
        address = self.own_url + HOOK
        if self.ledger.kept("webhook_url") == address:
            return
        if earlier := self.ledger.kept("webhook_id"):
            with suppress(HeyanError):  # it may be forgotten already
                self.heyan.forget_webhook(earlier)
        webhook = self.heyan.register_webhook(address)
        for name, content in (("secret", webhook.secret), ("id", webhook.id), ("url", address)):
            self.ledger.keep(f"webhook_{name}", content)

    def notice(self, body: bytes, headers: dict[str, str]) -> str | None:
        """Take a notice; the id of the filing that it is about, if it is news of one.

        Raises:
            standardwebhooks.WebhookVerificationError: it is not from heyan, or too old.
        """
        content = Webhook(self.ledger.kept("webhook_secret") or "").verify(body, headers)
        if not self.ledger.take_notice(content["id"]):
            return None
        try:
            filing = self.ledger.filing_of_case(content["data"].get("case", ""))
        except LookupError:
            return None
        told = (content["type"], content["data"].get("subject", ""))
        self._tell(self.ledger.change(filing.id, lambda known: noted(known, *told, at=content["timestamp"])))
        return filing.id

    # What the clerk does

    def file(self, wanted: Wanted) -> Filing:
        """Write a filing down and open its case.

        Raises:
            HeyanError: heyan would not take it; nothing is kept of it. httpx.TransportError: it is tried again later.
        """
        now = datetime.now(UTC)

        def numbered(number: int) -> Filing:
            return Filing(
                id=f"{now.year}-{number:06d}",
                way=token_urlsafe(16),
                action=wanted.action,
                company=wanted.company,
                company_name=wanted.company_name,
                capital=wanted.capital,
                parties=wanted.parties,
                filed_at=now.isoformat(timespec="seconds"),
            )

        filing = self.ledger.file(numbered, wanted.photos)
        try:
            return self.open(filing)
        except HeyanError as refusal:
            if refusal.status in REFUSED:
                self.ledger.forget(filing.id)
            raise

    def open(self, filing: Filing) -> Filing:
        """Open the case of a filing; the same case, however often that is asked for."""
        with self._opening:
            filing = self.ledger.filing(filing.id)
            return self._open(filing) if filing.state == OPENING else filing

    def _open(self, filing: Filing) -> Filing:
        photos = self.ledger.photos(filing.id)
        case = self.heyan.open_case(
            action=filing.action,
            document_sha256=filing.document_sha256,
            subjects=[_subject(party, photos[place]) for place, party in enumerate(filing.parties)],
            external_id=filing.id,
            details={
                "company_name": filing.company_name,
                "registered_capital": {"amount": filing.capital, "currency": "CNY"},
            },
            idempotency_key=f"one-window-{filing.way}",
        )
        ready = opened(filing, case)
        self.ledger.settled(ready)
        self._tell(ready)
        return ready

    def _open_late(self, filing: Filing) -> Filing:
        """Open what could not be opened when it was filed; what heyan will not take then is over, and says why."""
        try:
            return self.open(filing)
        except HeyanError as refusal:
            if refusal.status != UNPROCESSABLE:
                raise
            over = replace(filing, state="cancelled", problem=refusal.code)
            self.ledger.settled(over)
            self._tell(over)
            return over

    def link(self, filing_id: str, place: int) -> Filing:
        """A new link for a person; the one before leads nowhere any more. Raises LookupError, HeyanError."""
        filing = self.ledger.filing(filing_id)
        subject = filing.parties[place].subject_id or ""
        back = f"{self.own_url}/back/{filing.way}" if self.links_back else None
        invite = self.heyan.invite(filing.case_id or "", subject, return_url=back)
        linked = self.ledger.change(filing_id, lambda known: known.with_party(subject, link=invite.url, note=None))
        self._tell(linked)
        return linked

    def simulate(self, filing_id: str, place: int) -> Filing:
        """With a key of test mode: let a person act whose name says how that ends. Raises LookupError, HeyanError."""
        filing = self.ledger.filing(filing_id)
        self.heyan.simulate(filing.case_id or "", filing.parties[place].subject_id or "")
        return self.ledger.filing(filing_id)

    def withdraw(self, filing_id: str) -> Filing:
        """Cancel the case of a filing, if it still is as it was read here. Raises LookupError, HeyanError."""
        filing = self.ledger.filing(filing_id)
        self.heyan.cancel(self.heyan.case(filing.case_id or ""), reason="withdrawn")
        return self.follow(filing.id)

    # What follows by itself

    def follow(self, filing_id: str) -> Filing:
        """Take over how far a case is; register what is filed once everybody has verified.

        Raises:
            HeyanError, httpx.TransportError: try again later. ReceiptError: never register this.
        """
        filing = self.ledger.filing(filing_id)
        if filing.state == OPENING:
            filing = self._open_late(filing)
        if filing.state != OPEN:
            return filing
        case = self.heyan.case(filing.case_id or "")
        now_known = self.ledger.change(filing_id, lambda known: followed(known, case))
        self._tell(now_known)
        if case.state == "open" and all(subject.state in {"verified", "redeemed"} for subject in case.subjects):
            self.heyan.redeem_together(case, {each.id: self.heyan.mint(case.id, each.id) for each in case.subjects})
            case = self.heyan.case(case.id)
        return self._register(now_known, case) if case.state == "completed" else now_known

    def trouble(self, filing_id: str, code: str) -> None:
        """Show at the window that something is in the way."""
        self._tell(self.ledger.change(filing_id, lambda known: replace(known, problem=code)))

    def _register(self, filing: Filing, case: Case) -> Filing:
        """Archive the receipts and register the company; safe to repeat."""
        receipts = archive(
            self.archive,
            filing,
            receipts=self._receipts(case),
            keys=self.heyan.keys(test=self.test),
            purpose="test" if self.test else "live",
        )
        before = self.ledger.company(filing.company) if filing.company else None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        done, company = registered(followed(filing, case), receipts=receipts, before=before, now=now)
        self.ledger.registered(done, company)
        self._tell(done)
        return done

    def _receipts(self, case: Case) -> tuple[Receipt, ...]:
        """All receipts of a case that has ended, by what happened to it: also if we stopped after redeeming."""
        redeemed = [event.data["receipt"] for event in self.heyan.events(case.id) if event.type == "token.redeemed"]
        return tuple(map(self.heyan.receipt, redeemed))

    def _tell(self, filing: Filing) -> None:
        self.changed(filing)


def increase_of(company: Company, *, capital: str, photos: tuple[bytes, ...]) -> Wanted:
    """A capital increase: its shareholders and its legal representative verify."""
    return Wanted(
        action="capital.increase",
        company=company.id,
        company_name=company.name,
        capital=capital,
        parties=signers(company),
        photos=photos,
    )


def signers(company: Company) -> tuple[Party, ...]:
    """Who verifies for a change of a company's capital."""
    return tuple(each for each in company.parties if each.role in {"shareholder", "legal_representative"})


def _subject(party: Party, photo: bytes) -> NewSubject:
    return NewSubject(
        name=party.name,
        role=party.role,
        id_type=party.id_type,
        id_number=party.id_number,
        photo=photo,
        provenance="card_capture",
        share_percent=party.share_percent,
    )


def test_mode(api_key: str) -> bool:
    """Whether a key is of test mode, where nothing that is verified is worth anything."""
    return api_key.startswith("hk_test_")
