"""A client's cases, newest first, page by page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from re import fullmatch

from verify.casefile import CaseState
from verify.cases import Cases, CaseView
from verify.clients import Client
from verify.errors import Invalid, NotFound
from verify.store import case_of_entry, list_entry

LOOKED_AT = 500
"""Cases that one page looks at to find those in a wanted state; the next page goes on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """Some cases as they stand now; `next_cursor` leads to older ones, None: there are no more."""

    views: tuple[CaseView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CaseList:
    """Lists cases. A page goes on exactly where the one before ended, also when cases were opened meanwhile."""

    cases: Cases

    async def page(
        self,
        client: Client,
        *,
        limit: int,
        cursor: str | None = None,
        state: CaseState | None = None,
        external_id: str | None = None,
    ) -> CasePage:
        """Up to `limit` cases, in a state and under the client's own number if these are given.

        There may be fewer, even none, and still a next page.

        Raises:
            Invalid: `cursor_invalid`.
        """
        below = _opened(cursor) if cursor is not None else None
        if external_id is not None:
            found = await self.cases.find(client, external_id)
            return _page_of(tuple(view for view in found if state in {None, view.state}), below=below, limit=limit)
        return await self._all(client, below=below, limit=limit, state=state)

    async def _all(self, client: Client, *, below: str | None, limit: int, state: CaseState | None) -> CasePage:
        views, looked_at = list[CaseView](), 0
        while len(views) < limit and looked_at < LOOKED_AT:
            wanted = limit - len(views)
            entries = await self.cases.store.listed(client.id, client.mode, below=below, limit=wanted)
            for entry in entries:
                view = await self._view(client, case_of_entry(entry))
                views += [view] if view is not None and state in {None, view.state} else []
            looked_at += len(entries)
            if len(entries) < wanted:
                return CasePage(views=tuple(views), next_cursor=None)
            below = entries[-1]
        return CasePage(views=tuple(views), next_cursor=_sealed(below))

    async def _view(self, client: Client, case_id: str) -> CaseView | None:
        """None for an entry whose case was never created, or is not this client's."""
        try:
            return await self.cases.get(client, case_id)
        except NotFound:
            return None


def _page_of(views: tuple[CaseView, ...], *, below: str | None, limit: int) -> CasePage:
    """The part of a few cases that comes below an entry."""
    entries = {list_entry(view.file.case): view for view in views}
    older = [entry for entry in sorted(entries, reverse=True) if below is None or entry < below]
    shown = older[:limit]
    following = _sealed(shown[-1]) if len(older) > limit else None
    return CasePage(views=tuple(entries[entry] for entry in shown), next_cursor=following)


def _sealed(entry: str | None) -> str | None:
    """A cursor: the entry, in a form that nobody takes for something to be built by hand."""
    return urlsafe_b64encode(entry.encode()).decode().rstrip("=") if entry is not None else None


def _opened(cursor: str) -> str:
    """A cursor of somebody else's would only show the own cases below a time: it needs no signature."""
    try:
        entry = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (Base64Error, ValueError):
        entry = ""
    if not fullmatch(r"\d{15}:case_[a-z2-7]{16}", entry):
        raise Invalid("cursor_invalid", "this is no cursor of a page: send `next_cursor` unchanged, or none")
    return entry
