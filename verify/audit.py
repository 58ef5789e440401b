"""The audit chain of a case: each entry's hash covers the hash before it. No personal data, no scores.

Each entry also names by hash what its change wrote, so that nobody can change a record without a trace.

The head is computed here and not in the store, whose scripts have no SHA-256; the store appends an entry only if the
head is still the one that it was computed from.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

GENESIS = ""
"""The head before the first entry."""

Detail = str | tuple[str, ...]

NOTHING: Mapping[str, bytes | None] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened and by whom (`client:<id>`, `subject:<id>`, `service`). Details are ids, hashes and codes only."""

    name: str
    actor: str
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One link of the chain. `at`: Unix seconds by the store's clock. `nonce` makes the link unique."""

    seq: int
    at: float
    actor: str
    event: str
    details: dict[str, Detail]
    nonce: str
    written: dict[str, str] = field(default_factory=dict)
    """What the change wrote: SHA-256 (hexadecimal) by the field of the record or the blob; "" for what it erased."""


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as stored, and the head that it makes."""

    content: bytes
    head: str


class AuditChainBrokenError(ValueError):
    """`audit_chain_broken`: an entry does not fit the one before. `seq` is the first that does not."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the audit chain is broken at entry {seq}: it was changed, removed or reordered")
        self.code = "audit_chain_broken"
        self.seq = seq


def link(
    event: Event, *, seq: int, at: float, head: str, nonce: str, written: Mapping[str, bytes | None] = NOTHING
) -> Link:
    """The entry that appends an event, and what its change writes (None: erases), to the chain with this head.

    Its JSON is canonical: sorted keys, no white space, UTF-8.
    """
    entry = AuditEntry(
        seq=seq,
        at=at,
        actor=event.actor,
        event=event.name,
        details=dict(event.details),
        nonce=nonce,
        written={name: written_hash(content) for name, content in written.items()},
    )
    content = msgspec.json.encode(entry, order="sorted")
    return Link(content, _next_head(head, content))


def written_hash(content: bytes | None) -> str:
    """How an entry names what was written; "" for nothing."""
    return "" if content is None else sha256(content).hexdigest()


def verify_chain(contents: Iterable[bytes], *, expected_head: str) -> tuple[AuditEntry, ...]:
    """Recompute a chain from its first entry.

    Raises:
        AuditChainBrokenError: an entry is unreadable or out of order, or the head does not come out.
    """
    head, entries = GENESIS, list[AuditEntry]()
    for seq, content in enumerate(contents):
        entries.append(_decode(content, expected_seq=seq))
        head = _next_head(head, content)
    if head != expected_head:
        raise AuditChainBrokenError(len(entries))
    return tuple(entries)


def heads(contents: Iterable[bytes]) -> Iterator[str]:
    """The head after no entry, after one, after two, …"""
    head = GENESIS
    yield head
    for content in contents:
        head = _next_head(head, content)
        yield head


def _next_head(head: str, content: bytes) -> str:
    """SHA-256, hexadecimal, over the head before and the entry."""
    return sha256(head.encode("ascii") + b"\n" + content).hexdigest()


def _decode(content: bytes, *, expected_seq: int) -> AuditEntry:
    try:
        entry = msgspec.json.decode(content, type=AuditEntry)
    except msgspec.MsgspecError:
        raise AuditChainBrokenError(expected_seq) from None
    if entry.seq != expected_seq:
        raise AuditChainBrokenError(expected_seq)
    return entry
