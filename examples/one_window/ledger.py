"""What this registration service must not forget, in one SQLite file: a restart loses nothing.

A filing is written down before heyan is asked for anything, so that a case whose answer was lost is asked for again
under the same idempotency key. ID photos wait here only until heyan has them.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec

from examples.one_window.filings import REGISTERED, Company, Filing

TABLES = """
CREATE TABLE IF NOT EXISTS filings (id TEXT PRIMARY KEY, way TEXT UNIQUE, case_id TEXT UNIQUE, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS companies (id TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS photos (filing TEXT, party INTEGER, photo BLOB NOT NULL, PRIMARY KEY (filing, party));
CREATE TABLE IF NOT EXISTS notices (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, content TEXT NOT NULL);
"""

PUT_FILING = """
INSERT INTO filings VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET case_id = excluded.case_id, content = excluded.content
"""
PUT_COMPANY = "INSERT INTO companies VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET content = excluded.content"


class Ledger:
    """Opens the file at `path`; may be used by several threads. Close it at the end."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._lock = RLock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.executescript(TABLES)
        self._db.execute("PRAGMA secure_delete = ON")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # Filings

    def file(self, number_of: Callable[[int], Filing], photos: Sequence[bytes]) -> Filing:
        """Write down a new filing, under the next number, with its ID photos in the order of its parties."""
        with self._lock, self._db:
            filing = number_of(self._one("SELECT count(*) FROM filings") + 1)
            self._put(filing)
            rows = [(filing.id, place, photo) for place, photo in enumerate(photos)]
            self._db.executemany("INSERT INTO photos VALUES (?, ?, ?)", rows)
        return filing

    def change(self, filing_id: str, change: Callable[[Filing], Filing]) -> Filing:
        """Change a filing, and nothing else at the same time. Raises LookupError."""
        with self._lock, self._db:
            changed = change(self.filing(filing_id))
            self._put(changed)
        return changed

    def settled(self, filing: Filing) -> None:
        """heyan has the case, and with it the photos, or will never take it: they are not kept here any longer."""
        with self._lock, self._db:
            self._put(filing)
            self._db.execute("DELETE FROM photos WHERE filing = ?", (filing.id,))

    def registered(self, filing: Filing, company: Company) -> None:
        """A filing's end, and the company that comes of it."""
        with self._lock, self._db:
            self._put(filing)
            self._db.execute(PUT_COMPANY, (company.id, msgspec.json.encode(company)))

    def forget(self, filing_id: str) -> None:
        """A filing that heyan would not take: as if it had not been filed."""
        with self._lock, self._db:
            self._db.execute("UPDATE filings SET content = ? WHERE id = ?", (b"", filing_id))
            self._db.execute("DELETE FROM photos WHERE filing = ?", (filing_id,))

    def filing(self, filing_id: str) -> Filing:
        """Raises LookupError."""
        return self._filing("id", filing_id)

    def filing_of_case(self, case_id: str) -> Filing:
        """Raises LookupError."""
        return self._filing("case_id", case_id)

    def filing_on_way(self, way: str) -> Filing:
        """By the random name that its people have. Raises LookupError."""
        return self._filing("way", way)

    def filings(self) -> list[Filing]:
        """All, newest first."""
        rows = self._rows("SELECT content FROM filings WHERE content != x'' ORDER BY rowid DESC")
        return [msgspec.json.decode(content, type=Filing) for (content,) in rows]

    def unfinished(self) -> list[Filing]:
        """Those of which more may come."""
        return [each for each in self.filings() if each.state not in {REGISTERED, "cancelled", "expired"}]

    def photos(self, filing_id: str) -> Mapping[int, bytes]:
        """ID photos that wait to be sent, by place of their party."""
        return dict(self._rows("SELECT party, photo FROM photos WHERE filing = ?", filing_id))

    # Companies

    def company(self, company_id: str) -> Company:
        """Raises LookupError."""
        for (content,) in self._rows("SELECT content FROM companies WHERE id = ?", company_id):
            return msgspec.json.decode(content, type=Company)
        raise LookupError(company_id)

    def companies(self) -> list[Company]:
        """All, newest first."""
        rows = self._rows("SELECT content FROM companies ORDER BY rowid DESC")
        return [msgspec.json.decode(content, type=Company) for (content,) in rows]

    # Notices and the webhook

    def take_notice(self, notice_id: str) -> bool:
        """Whether a notice is new: each is delivered at least once."""
        with self._lock, self._db:
            taken = self._db.execute("INSERT OR IGNORE INTO notices VALUES (?)", (notice_id,))
            return taken.rowcount == 1

    def keep(self, name: str, content: str) -> None:
        """Keep a text under a name."""
        with self._lock, self._db:
            self._db.execute("REPLACE INTO kept VALUES (?, ?)", (name, content))

    def kept(self, name: str) -> str | None:
        """The text under a name."""
        return next((str(content) for (content,) in self._rows("SELECT content FROM kept WHERE name = ?", name)), None)

    def _filing(self, column: str, value: str) -> Filing:
        for (content,) in self._rows(f"SELECT content FROM filings WHERE {column} = ? AND content != x''", value):  # noqa: S608 - a name of ours
            return msgspec.json.decode(content, type=Filing)
        raise LookupError(value)

    def _put(self, filing: Filing) -> None:
        row = (filing.id, filing.way, filing.case_id, msgspec.json.encode(filing))
        self._db.execute(PUT_FILING, row)

    def _one(self, sql: str) -> int:
        return int(self._rows(sql)[0][0])

    def _rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lock, closing(self._db.execute(sql, values)) as cursor:
            return cursor.fetchall()
