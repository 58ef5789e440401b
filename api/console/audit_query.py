"""What an auditor searches the audit for, as the form gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from api.errors import ConsoleError
from verify.casefile import Mode
from verify.cases import known_case
from verify.operators import OPERATORS_CHAIN
from verify.oversight import EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search that can be made."""

    chain: str | None
    """Id of a case, or `OPERATORS_CHAIN`; None: all."""
    event: str
    """"" for every kind."""
    since: datetime
    before: datetime

    @property
    def events(self) -> tuple[str, ...]:
        """The kinds that are searched for."""
        return (self.event,) if self.event else EVENTS

    def details(self) -> Mapping[str, str]:
        """What is written down of it: nothing that was typed but ids, kinds and times."""
        span = {"since": self.since.isoformat(timespec="minutes"), "before": self.before.isoformat(timespec="minutes")}
        return span | ({"case": self.chain} if self.chain else {}) | ({"event": self.event} if self.event else {})


class AuditQuery(BaseModel):
    """The fields of the form; empty ones mean all of it, and the last day."""

    mode: Mode = "live"
    case: str = ""
    event: str = ""
    since: str = ""
    before: str = ""
    cursor: str | None = None

    def checked(self, *, now: float) -> Asked:
        """The search, at a time (Unix seconds).

        Raises:
            NotFound: `case_unknown`. ConsoleError: `search_invalid`.
        """
        if self.event and self.event not in EVENTS:
            raise search_invalid("event", "one of the list, or none for all")
        at = datetime.fromtimestamp(now, UTC)
        return Asked(
            chain=_chain(self.case.strip()),
            event=self.event,
            since=_time(self.since, "since") or at - timedelta(days=1),
            before=_time(self.before, "before") or at + timedelta(minutes=1),
        )


def search_invalid(field: str, wanted: str) -> ConsoleError:
    """A field of a form that cannot be used."""
    return ConsoleError("search_invalid", f"{field} is {wanted}", status=422)


def _chain(given: str) -> str | None:
    if given in {"", OPERATORS_CHAIN}:
        return given or None
    return known_case(given)


def _time(given: str, field: str) -> datetime | None:
    """A time as a form gives it, in UTC unless it says otherwise; None for an empty one."""
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise search_invalid(field, "a time such as 2026-11-25T18:00, in UTC") from None
