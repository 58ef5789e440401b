"""A client's cases, newest first, page by page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from re import fullmatch

from verify.casefile import CaseState
from verify.cases import CaseView, case_view, check_owner
from verify.clients import Client
from verify.errors import Invalid, NotFound
from verify.store import Store, case_of_entry

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

    store: Store

    async def page(
        self, client: Client, *, limit: int, cursor: str | None = None, state: CaseState | None = None
    ) -> CasePage:
        """Up to `limit` cases, in a state if one is given. There may be fewer, even none, and still a next page.

        Raises:
            Invalid: `cursor_invalid`.
        """
        below = _opened(cursor) if cursor is not None else None
        epoch = await self.store.epoch()
        views, looked_at = list[CaseView](), 0
        while len(views) < limit and looked_at < LOOKED_AT:
            wanted = limit - len(views)
            entries = await self.store.listed(client.id, client.mode, below=below, limit=wanted)
            for entry in entries:
                view = await self._view(client, case_of_entry(entry), epoch)
                views += [view] if view is not None and state in {None, view.state} else []
            looked_at += len(entries)
            if len(entries) < wanted:
                return CasePage(views=tuple(views), next_cursor=None)
            below = entries[-1]
        return CasePage(views=tuple(views), next_cursor=_sealed(below))

    async def _view(self, client: Client, case_id: str, epoch: int) -> CaseView | None:
        """None for an entry whose case was never created, or is not this client's."""
        try:
            file, now = await self.store.load(case_id)
            check_owner(file, client)
        except NotFound:
            return None
        return case_view(file, now=now, epoch=epoch)


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
