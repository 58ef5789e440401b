"""Secrets of cases outside of the store, each of which can be taken away for good.

A case has one secret here, and from it one for each of its people, through a tree of one-way functions (Goldreich,
Goldwasser, Micali, 1986; here with 16 branches): 16 steps from the root, as the digits of the person's hashed id say.
Erasing a person replaces the secret above theirs by those beside the way to them: everybody else's can still be
derived, theirs no more. Nobody needs to know who else there is, so that people may come and go meanwhile.

What is sealed needs both: the case's key, wrapped in the store, and the person's secret, which is here. A backup of the
store, however old, opens nothing of a person who was erased here.
"""

import os
import sqlite3
import weakref
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from hmac import digest
from pathlib import Path
from threading import Lock
from typing import Protocol

import msgspec

from verify.errors import Gone, KeyDamaged

STEPS = 16
DIGITS = "0123456789abcdef"
"""64 bits: of a case with 2^16 people two share their secret with a chance of 2^-33, and erasing one would erase both.

More branches make a secret quicker to derive, and what is left after an erasure longer: 15 secrets a step, 11 KB.
"""

WAIT_SECONDS = 10.0

Seeds = Mapping[str, bytes]
"""Secrets of a case, by the way to them from the root (`""`, `"0"`, `"0f"`, …). None of them lies below another."""


class Shelf(Protocol):
    """What the vault asks for."""

    def add(self, case_id: str, root: bytes) -> None:
        """Put up a case's secret. Raises Unavailable."""

    def secret(self, case_id: str, subject_id: str) -> bytes:
        """A person's secret. Raises Gone `content_erased`, Unavailable."""

    def erase(self, case_id: str, subject_id: str | None) -> None:
        """Take a person's secret away, or all of the case's. Raises Unavailable."""


class ShelfFile:
    """A shelf in one SQLite file, overwriting what it deletes.

    It may be shared by threads and processes, also over a network file system whose locks work: it has a rollback
    journal and no shared memory.
    """

    def __init__(self, path: Path) -> None:
        """Make the file, 0600, unless it is there. Raises Unavailable `key_damaged`."""
        self._path = path
        self._lock = Lock()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with _explained(path):
            self._connection = sqlite3.connect(
                path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
        weakref.finalize(self, self._connection.close)
        with self._connected() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        with self._changing() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS seeds (case_id TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"
            )
            connection.execute("CREATE TABLE IF NOT EXISTS shelf (name TEXT NOT NULL)")

    def take_name(self, name: str) -> str:
        """What tells this shelf from every other, for good: the name that it has, or this one if it has none."""
        with self._changing() as connection:
            connection.execute("INSERT INTO shelf SELECT ? WHERE NOT EXISTS (SELECT 1 FROM shelf)", (name,))
            return str(connection.execute("SELECT name FROM shelf").fetchone()[0])

    def add(self, case_id: str, root: bytes) -> None:
        """See `Shelf`."""
        with self._changing() as connection:
            connection.execute("INSERT INTO seeds VALUES (?, ?)", (case_id, _encode({"": root})))

    def secret(self, case_id: str, subject_id: str) -> bytes:
        """See `Shelf`."""
        with self._connected() as connection:
            return derived(self._seeds(connection, case_id), subject_id)

    def erase(self, case_id: str, subject_id: str | None) -> None:
        """See `Shelf`. What was erased before stays erased; a case that is not here has nothing to erase."""
        with self._changing() as connection:
            found = connection.execute("SELECT content FROM seeds WHERE case_id = ?", (case_id,)).fetchone()
            if found is not None:
                left: Seeds = {} if subject_id is None else without(_decode(found[0]), subject_id)
                connection.execute("UPDATE seeds SET content = ? WHERE case_id = ?", (_encode(left), case_id))

    def _seeds(self, connection: sqlite3.Connection, case_id: str) -> Seeds:
        found = connection.execute("SELECT content FROM seeds WHERE case_id = ?", (case_id,)).fetchone()
        if found is None:
            raise KeyDamaged(
                f"{self._path} has no secret of this case: it is not the one that was used when the case was opened"
            )
        return _decode(found[0])

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A change that is made as a whole or not at all."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(self._path):
            yield self._connection


def shelf_name(path: Path) -> tuple[str | None, bool]:
    """The name of the shelf in a file, if it has one, and whether it holds anything. Raises Unavailable `key_damaged`.

    Nothing is made, and nobody waits for it.
    """
    place = f"{path.absolute().as_uri()}?mode=rw"
    with _explained(path), closing(sqlite3.connect(place, timeout=WAIT_SECONDS, uri=True)) as opened:
        tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}
        named = opened.execute("SELECT name FROM shelf").fetchone() if "shelf" in tables else None
        held = opened.execute("SELECT 1 FROM seeds LIMIT 1").fetchone() if "seeds" in tables else None
    return named and str(named[0]), held is not None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of the database as errors that say how to mend them."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise KeyDamaged(f"{path} cannot be used ({error}): see to the disk and its rights") from None
    except sqlite3.DatabaseError:
        raise KeyDamaged(f"{path} is damaged: restore it from your backup of keys; nothing was changed") from None


def derived(seeds: Seeds, subject_id: str) -> bytes:
    """A person's secret. Raises Gone `content_erased` if it cannot be derived any more."""
    way = _way(subject_id)
    for steps in range(STEPS + 1):
        if way[:steps] in seeds:
            secret = seeds[way[:steps]]
            for step in way[steps:]:
                secret = _child(secret, step)
            return secret
    raise Gone("content_erased", "this was erased for good, with its person or its case")


def without(seeds: Seeds, subject_id: str) -> Seeds:
    """Seeds from which everybody's secret but this person's can be derived."""
    way = _way(subject_id)
    above = next((steps for steps in range(STEPS + 1) if way[:steps] in seeds), None)
    if above is None:
        return seeds
    left = {place: secret for place, secret in seeds.items() if place != way[:above]}
    secret = seeds[way[:above]]
    for steps in range(above, STEPS):
        left |= {way[:steps] + digit: _child(secret, digit) for digit in DIGITS if digit != way[steps]}
        secret = _child(secret, way[steps])
    return left


def _way(subject_id: str) -> str:
    return sha256(subject_id.encode()).hexdigest()[:STEPS]


def _child(secret: bytes, step: str) -> bytes:
    return digest(secret, step.encode(), sha256)


def _encode(seeds: Seeds) -> bytes:
    return msgspec.msgpack.encode(dict(seeds))


def _decode(content: bytes) -> Seeds:
    return msgspec.msgpack.decode(content, type=dict[str, bytes])
