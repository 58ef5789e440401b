"""What operators see: cases of all clients, masked, and entries of the audit. A page is a bounded number of reads.

Nothing that a client or a person wrote comes through: no names, no numbers, no notes, no scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from re import fullmatch

import msgspec

from verify.audit import AuditEntry
from verify.casefile import Case, CaseState, Mode, decode_case
from verify.cases import CaseView, case_view, known_case, state_at
from verify.errors import Invalid
from verify.ledger import Place
from verify.operators import OPERATORS_CHAIN
from verify.store import ALL_CLIENTS, PENDING, Store, case_of_entry

LOOKED_AT = 500
"""Cases or entries that one page looks at to find those that are wanted; the next page goes on from there."""

CASE_EVENTS = (
    "case.opened",
    "case.changed",
    "case.cancelled",
    "case.expired",
    "case.erased",
    "subject.added",
    "subject.replaced",
    "subject.removed",
    "subject.erased",
    "organisation.added",
    "organisation.replaced",
    "organisation.removed",
    "reference.fetched",
    "reference.delayed",
    "reference.outdated",
    "reference.unusable",
    "invite.issued",
    "invite.exchanged",
    "consent.given",
    "consent.declined",
    "session.opened",
    "session.claimed",
    "session.finished",
    "verification.in_person",
    "verification.disputed",
    "window.mismatch",
    "dispute.linked",
    "token.minted",
    "token.redeemed",
    "redemption.mismatch",
    "message.sent",
    "message.delayed",
    "message.undeliverable",
)
OPERATOR_EVENTS = (
    "operator.signed_in",
    "operator.signed_out",
    "operator.looked",
    "operator.searched",
    "operator.verified",
    "policy.proposed",
    "policy.approved",
    "policy.withdrawn",
    "key_change.proposed",
    "key_change.approved",
    "key_change.withdrawn",
    "key_change.without_second_operator",
    "store.migrated",
    "keys.lost",
)
EVENTS = (*CASE_EVENTS, *OPERATOR_EVENTS)
"""Every kind of audit entry; a test holds the list to the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCases:
    """Some cases as they stand now, newest first; `next_cursor` leads to older ones, None: there are no more."""

    cases: tuple[tuple[Case, CaseState], ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEntry:
    """An audit entry, and whose chain it is part of: a case's, or `OPERATORS_CHAIN`."""

    chain: str
    entry: AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEntries:
    """Some audit entries, newest first; `next_cursor` leads to older ones."""

    entries: tuple[SeenEntry, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCase:
    """A case as it stands now, and how far checkpoints cover its chain."""

    view: CaseView
    now: float
    covered: int
    """Entries of its chain under the newest checkpoint about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSize:
    """What the store holds, as it counts itself: open cases and faces as of the last round of the task behind it."""

    open_cases: int
    all_cases: int
    stored_faces: int
    pending_notices: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class Oversight:
    """Reads for the console. Everything raises StoreUnavailable if the store does not answer."""

    store: Store

    async def size(self) -> StoreSize:
        """Counts over all cases of both modes."""
        lists = [f"cases:{ALL_CLIENTS}:{mode}" for mode in ("live", "test")]
        live, test, pending = (int(count) for count in await self.store.ask_each("ZCARD", [*lists, PENDING]))
        return StoreSize(
            open_cases=await self.store.ledger.ending_after(await self.store.now()),
            all_cases=live + test,
            stored_faces=await self.store.ledger.stored_faces(),
            pending_notices=pending,
            checkpoints=(await self.store.ledger.state()).checkpoints,
        )

    async def happened(self, *, mode: Mode, since: float) -> dict[str, int]:
        """How many audit entries of each kind cases of a mode have got since a time (Unix seconds)."""
        kinds = [f"{mode}:{event}" for event in CASE_EVENTS]
        found = await self.store.ledger.counted(kinds, since_ms=int(since * 1000))
        return {kind.partition(":")[2]: count for kind, count in found.items()}

    async def cases(
        self, *, mode: Mode, limit: int, cursor: str | None = None, state: CaseState | None = None
    ) -> SeenCases:
        """Up to `limit` cases of all clients, in a state if one is given. There may be fewer, and still a next page.

        Raises:
            Invalid: `cursor_invalid`.
        """
        below = None if cursor is None else _checked(cursor, r"\d{15}:case_[a-z2-7]{16}")
        found, looked_at = list[tuple[Case, CaseState]](), 0
        while len(found) < limit and looked_at < LOOKED_AT:
            wanted = limit - len(found) if state is None else LOOKED_AT // 5
            entries = await self.store.listed(ALL_CLIENTS, mode, below=below, limit=wanted)
            for entry, case in zip(entries, await self._cases(entries), strict=True):
                below, looked_at = entry, looked_at + 1
                if case is not None and state in {None, case[1]}:
                    found.append(case)
                if len(found) == limit:
                    return SeenCases(cases=tuple(found), next_cursor=below)
            if len(entries) < wanted:
                return SeenCases(cases=tuple(found), next_cursor=None)
        return SeenCases(cases=tuple(found), next_cursor=below)

    async def case(self, case_id: str) -> SeenCase:
        """One case. Raises NotFound `case_unknown`, CaseDamaged."""
        file, now = await self.store.load(known_case(case_id))
        placed = (await self.store.ledger.latest((file.case.id,))).get(file.case.id)
        view = case_view(file, now=now, epoch=await self.store.epoch())
        return SeenCase(view=view, now=now, covered=placed.leaf.entries if placed else 0)

    async def chain(self, chain: str, *, below: int | None = None, limit: int) -> SeenEntries:
        """The entries of one chain below a number, newest first."""
        found = await self.store.newest_entries(chain, below=below, limit=limit)
        entries = tuple(SeenEntry(chain=chain, entry=_decoded(content)) for content in found)
        more = bool(entries) and entries[-1].entry.seq > 0
        return SeenEntries(entries=entries, next_cursor=str(entries[-1].entry.seq) if more else None)

    async def search(
        self,
        *,
        mode: Mode,
        events: Sequence[str],
        since: float,
        before: float,
        chain: str | None = None,
        cursor: str | None = None,
        limit: int,
    ) -> SeenEntries:
        """Entries of these kinds between two times (Unix seconds), of all chains or of one.

        There may be fewer than `limit`, and still a next page.

        Raises:
            Invalid: `cursor_invalid`.
        """
        below = (
            None if cursor is None else _checked(cursor, rf"\d{{15}}:(case_[a-z2-7]{{16}}|{OPERATORS_CHAIN}):\d{{1,9}}")
        )
        if chain is not None:
            return await self._search_chain(chain, events, since=since, before=before, below=below, limit=limit)
        kinds = [f"{mode}:{event}" for event in events]
        span = {"since_ms": int(since * 1000), "before_ms": int(before * 1000)}
        places = await self.store.ledger.places(kinds, **span, below=below, limit=limit)
        stored = await self.store.entries([(place.case, place.seq) for place in places])
        found = tuple(
            SeenEntry(chain=place.case, entry=entry)
            for place, content in zip(places, stored, strict=True)
            if content is not None and _is_at(entry := _decoded(content), place) and entry.event in events
        )
        return SeenEntries(entries=found, next_cursor=places[-1].entry() if len(places) == limit else None)

    async def _search_chain(
        self, chain: str, events: Sequence[str], *, since: float, before: float, below: str | None, limit: int
    ) -> SeenEntries:
        place = None if below is None else Place.of(below)
        page = await self.chain(chain, below=None if place is None else place.seq, limit=LOOKED_AT)
        fitting = [each for each in page.entries if each.entry.event in events and since <= each.entry.at < before]
        shown = tuple(fitting[:limit])
        last = shown[-1] if len(fitting) > limit else page.entries[-1] if page.next_cursor else None
        return SeenEntries(entries=shown, next_cursor=None if last is None else _place(last).entry())

    async def _cases(self, entries: Sequence[str]) -> list[tuple[Case, CaseState] | None]:
        """The cases of entries of a list; None for one that was never created."""
        stored = await self.store.fields([(case_of_entry(entry), "case") for entry in entries])
        now = await self.store.now()
        cases = [None if content is None else decode_case(content) for content in stored]
        return [None if case is None else (case, state_at(case, now)) for case in cases]


def _place(seen: SeenEntry) -> Place:
    return Place(seen.chain, seen.entry.seq, int(seen.entry.at * 1000))


def _is_at(entry: AuditEntry, place: Place) -> bool:
    """False for an entry that another change has put where this one was announced."""
    return int(entry.at * 1000) == place.at_ms


def _decoded(content: bytes) -> AuditEntry:
    return msgspec.json.decode(content, type=AuditEntry)


def _checked(cursor: str, form: str) -> str:
    if not fullmatch(form, cursor):
        raise Invalid("cursor_invalid", "this is no cursor of a page: begin with the first one")
    return cursor
