"""Auditing a whole store: every case's chain, the tree over all of them, and what somebody has kept outside.

Whoever holds the store and the keys can rewrite both so that they fit. What they cannot rewrite are anchors: receipts
and checkpoints that others have kept. Without anchors the tail is unproven, and the report says so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from verify.audit import GENESIS, AuditChainBrokenError, AuditEntry, heads, verify_chain, written_hash
from verify.casefile import CaseFile, decode_file
from verify.checkpoints import Checkpoint, check_checkpoint, leaf_hash_of, text_hash
from verify.errors import Invalid
from verify.jose import VerifyingKey
from verify.ledger import PAGE, Leaf, decode_leaf
from verify.merkle import Node, grown, root_of, subtrees
from verify.operators import OPERATORS_CHAIN
from verify.receipts import CheckedReceipt, check_receipt
from verify.store import BLOB, Store

Progress = Callable[[str, int], None]
"""Told what is being looked at (`checkpoints`, `leaves`, `cases`), and how many were."""

REDEEMED = "token.redeemed"

ATTEMPTS = 5
"""How often a case is looked at that changes meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not fit. `code` is stable; docs/audit.md lists them all."""

    code: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """What somebody has kept outside: good receipts and checkpoints, and what cannot be judged."""

    receipts: Sequence[CheckedReceipt] = ()
    checkpoints: Sequence[Checkpoint] = ()
    unreadable: Sequence[Finding] = ()


NO_ANCHORS = Anchors()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found, and how far it reached."""

    findings: Sequence[Finding]
    cases: int
    entries: int
    checkpoints: int
    uncovered: int
    """Cases whose newest entries no checkpoint covers yet: those that changed just now, as a rule."""
    proven_to: int | None
    """Number of the newest checkpoint that an anchor vouches for; None: the tail is unproven."""
    anchors: int

    @property
    def intact(self) -> bool:
        """True if nothing was found."""
        return not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAudit:
    """What is remembered of the last audit of the whole store. `at`: Unix seconds by the store's clock."""

    at: float
    findings: int
    cases: int
    entries: int
    checkpoints: int
    proven_to: int | None


async def remember_audit(store: Store, report: AuditReport) -> None:
    """Note that the whole store was looked at, for whoever asks when that was. A reminder, and no proof."""
    last = LastAudit(
        at=await store.now(),
        findings=len(report.findings),
        cases=report.cases,
        entries=report.entries,
        checkpoints=report.checkpoints,
        proven_to=report.proven_to,
    )
    await store.put_record("audits", "last", msgspec.json.encode(last))


async def last_audit(store: Store) -> LastAudit | None:
    """The last audit of the whole store; None if there was none."""
    content = await store.get_record("audits", "last")
    return None if content is None else msgspec.json.decode(content, type=LastAudit)


@dataclass(frozen=True, slots=True)
class _CheckedCase:
    findings: Sequence[Finding]
    entries: int = 0
    covered: bool = True
    """Whether its newest leaf covers all its entries."""


@dataclass(slots=True)
class _Log:
    """The checkpoints and leaves that were read, and what is wrong with them."""

    checkpoints: list[Checkpoint] = field(default_factory=list)
    leaves: dict[str, list[Leaf]] = field(default_factory=lambda: defaultdict(list))
    findings: list[Finding] = field(default_factory=list)


def read_anchors(texts: Mapping[str, str], *, expected_keys: Sequence[VerifyingKey]) -> Anchors:
    """Tell receipts from checkpoints by their own signed type; `texts`: compact JWS by where it was found."""
    receipts, checkpoints, unreadable = list[CheckedReceipt](), list[Checkpoint](), list[Finding]()
    for where, text in texts.items():
        try:
            checkpoints.append(check_checkpoint(text, expected_keys=expected_keys))
        except Invalid:
            try:
                receipts.append(check_receipt(text, expected_keys=expected_keys, allow_test=True))
            except Invalid:
                detail = "no key of this service has signed it: the anchor was changed, or the keys were replaced"
                unreadable.append(Finding(code="anchor_invalid", where=where, detail=detail))
    return Anchors(receipts=receipts, checkpoints=checkpoints, unreadable=unreadable)


async def audit(
    store: Store,
    *,
    expected_keys: Sequence[VerifyingKey],
    anchors: Anchors = NO_ANCHORS,
    progress: Progress = lambda _, __: None,
) -> AuditReport:
    """Look at everything. A service may run meanwhile; what it adds to the log is not looked at.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    log = await _read_log(store, expected_keys, progress)
    findings, entries, uncovered, seen = list(log.findings), 0, 0, set[str]()
    async for case_id in store.ledger.cases():
        seen.add(case_id)
        checked = await _check_case(store, case_id, log.leaves.get(case_id, ()))
        findings += checked.findings
        entries += checked.entries
        uncovered += not checked.covered
        progress("cases", len(seen))
    findings += await _check_operators(store, log.leaves.pop(OPERATORS_CHAIN, ()))
    findings += [_deleted(case_id) for case_id in log.leaves if case_id not in seen]
    findings += [*anchors.unreadable, *_check_kept(log.checkpoints, anchors)]
    for receipt in anchors.receipts:
        findings += await _check_receipt(store, receipt)
    return AuditReport(
        findings=findings,
        cases=len(seen),
        entries=entries,
        checkpoints=len(log.checkpoints),
        uncovered=uncovered,
        proven_to=_proven_to(log.checkpoints, anchors),
        anchors=len(anchors.receipts) + len(anchors.checkpoints),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChain:
    """What one case's chain came to on its own. `covered`: entries under the newest checkpoint about it."""

    findings: Sequence[Finding]
    entries: int
    covered: int


async def check_chain(store: Store, case_id: str) -> CheckedChain:
    """Look at one case: its chain, its record, its receipts, and the newest leaf about it.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    placed = (await store.ledger.latest((case_id,))).get(case_id)
    leaves = () if placed is None else (placed.leaf,)
    checked = await _check_case(store, case_id, leaves)
    return CheckedChain(
        findings=checked.findings, entries=checked.entries, covered=sum(leaf.entries for leaf in leaves)
    )


async def check_newest(store: Store, *, expected_keys: Sequence[VerifyingKey], most: int) -> Sequence[Finding]:
    """Look at the newest checkpoints: each signed, each continuing the one before, the last with the tree's root.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    state = await store.ledger.state()
    findings, last = list[Finding](), None
    first = max(0, state.checkpoints - most)
    for number, text in enumerate(await store.ledger.checkpoints(after=first, limit=state.checkpoints - first)):
        try:
            checkpoint = check_checkpoint(text, expected_keys=expected_keys)
        except Invalid as error:
            where = f"checkpoint {first + number + 1}"
            return [*findings, Finding(code="checkpoint_invalid", where=where, detail=str(error))]
        findings += _check_link(last, checkpoint) if last or not first else ()
        last = checkpoint
    return [*findings, *(await _check_root(store, last) if last is not None else ())]


async def _check_root(store: Store, newest: Checkpoint) -> Iterator[Finding]:
    """The tree that the store keeps must have the root that was signed."""
    span = (0, newest.claims.size)
    if root_of(span, await store.ledger.nodes(subtrees(span))).hex() == newest.claims.root:
        return iter(())
    detail = "the tree in the store is not the one that was signed"
    return iter([Finding(code="leaf_changed", where=f"checkpoint {newest.claims.n}", detail=detail)])


async def _check_operators(store: Store, leaves: Sequence[Leaf]) -> Sequence[Finding]:
    """The chain of what operators did, at one moment."""
    for _ in range(ATTEMPTS):
        leaf = (await store.ledger.heads((OPERATORS_CHAIN,))).get(OPERATORS_CHAIN)
        contents = await store.audit(OPERATORS_CHAIN)
        if leaf == (await store.ledger.heads((OPERATORS_CHAIN,))).get(OPERATORS_CHAIN):
            break
    try:
        verify_chain(contents, expected_head=leaf.head if leaf else GENESIS)
    except AuditChainBrokenError as error:
        return [_broken(OPERATORS_CHAIN, error, contents, leaves)]
    return [*_check_leaves(OPERATORS_CHAIN, contents, leaves)]


async def _read_log(store: Store, keys: Sequence[VerifyingKey], progress: Progress) -> _Log:
    """Checkpoints in order, each continuing the one before, and the leaves under them."""
    log = _Log()
    while texts := await store.ledger.checkpoints(after=len(log.checkpoints), limit=PAGE):
        for text in texts:
            try:
                checkpoint = check_checkpoint(text, expected_keys=keys)
            except Invalid as error:
                where = f"checkpoint {len(log.checkpoints) + 1}"
                log.findings.append(Finding(code="checkpoint_invalid", where=where, detail=str(error)))
                return await _with_leaves(store, log, progress)
            log.findings += _check_link(log.checkpoints[-1] if log.checkpoints else None, checkpoint)
            log.checkpoints.append(checkpoint)
        progress("checkpoints", len(log.checkpoints))
    return await _with_leaves(store, log, progress)


def _check_link(before: Checkpoint | None, after: Checkpoint) -> Iterator[Finding]:
    """Numbers count up, the tree never shrinks, each checkpoint names the text of the one before."""
    number, size, previous = (before.claims.n, before.claims.size, text_hash(before.text)) if before else (0, 0, "")
    if after.claims.n != number + 1 or after.claims.previous != previous or after.claims.size < size:
        detail = f"it does not continue checkpoint {number}: one was removed, reordered or replaced"
        yield Finding(code="checkpoint_out_of_line", where=f"checkpoint {after.claims.n}", detail=detail)


async def _with_leaves(store: Store, log: _Log, progress: Progress) -> _Log:
    """Grow the tree leaf by leaf, and compare its root wherever a checkpoint was signed."""
    size, nodes = 0, dict[Node, bytes]()
    awaited = {checkpoint.claims.size: checkpoint for checkpoint in log.checkpoints}
    last = max(awaited, default=0)
    async for content in store.ledger.leaves():
        if size == last:
            break
        try:
            leaf = decode_leaf(content)
        except ValueError:
            log.findings.append(Finding(code="leaf_changed", where=f"leaf {size}", detail="it is no leaf any more"))
            return log
        nodes |= grown(size, (leaf_hash_of(leaf),), nodes)
        size += 1
        nodes = {node: nodes[node] for node in subtrees((0, size))}
        log.leaves[leaf.case].append(leaf)
        if size in awaited and root_of((0, size), nodes).hex() != awaited[size].claims.root:
            where = f"checkpoint {awaited[size].claims.n}"
            detail = f"one of the first {size} leaves is not what was signed: changed, removed or reordered"
            log.findings.append(Finding(code="leaf_changed", where=where, detail=detail))
            return log
        if size % PAGE == 0:
            progress("leaves", size)
    if size < last:
        detail = f"{last} leaves were signed and {size} are there"
        log.findings.append(Finding(code="leaves_missing", where=f"leaf {size}", detail=detail))
    return log


async def _check_case(store: Store, case_id: str, leaves: Sequence[Leaf]) -> _CheckedCase:
    """A case at one moment: if it was changed while it was looked at, once more."""
    for _ in range(ATTEMPTS):
        record = await store.ledger.record(case_id)
        checked = await _check_record(store, case_id, record, leaves)
        now = (await store.ledger.heads((case_id,))).get(case_id)
        if not checked.findings or (now.head if now else "") == record.get("head", b"").decode():
            break
    return checked


async def _check_record(
    store: Store, case_id: str, record: Mapping[str, bytes], leaves: Sequence[Leaf]
) -> _CheckedCase:
    if not record:
        return _CheckedCase([_deleted(case_id)])
    try:
        file = decode_file(record)
    except (KeyError, ValueError):
        return _CheckedCase([Finding(code="case_changed", where=case_id, detail="its record cannot be read")])
    contents = await store.audit(case_id)
    try:
        entries = verify_chain(contents, expected_head=file.head)
    except AuditChainBrokenError as error:
        return _CheckedCase([_broken(case_id, error, contents, leaves)], len(contents))
    findings = [
        *_check_leaves(case_id, contents, leaves),
        *_check_receipts(file, entries),
        *await _check_written(store, case_id, record, entries),
    ]
    covered = bool(leaves) and leaves[-1].entries == len(entries)
    return _CheckedCase(findings, len(entries), covered=covered)


async def _check_written(
    store: Store, case_id: str, record: Mapping[str, bytes], entries: Iterable[AuditEntry]
) -> list[Finding]:
    """Every field and blob must be what the newest entry that wrote it says, and there must be no other."""
    said = {name: value for entry in entries for name, value in entry.written.items()}
    found = {name: written_hash(content) for name, content in record.items() if name not in {"head", "entries"}}
    for name in said:
        if name.startswith(BLOB):
            found[name] = written_hash(await store.blob(case_id, name.removeprefix(BLOB)))
    differing = sorted(name for name in said.keys() | found.keys() if said.get(name, "") != found.get(name, ""))
    return [
        Finding(code="record_changed", where=case_id, detail=f"{name} is not what the newest entry about it says")
        for name in differing
    ]


def _broken(case_id: str, error: AuditChainBrokenError, contents: Sequence[bytes], leaves: Sequence[Leaf]) -> Finding:
    """A broken chain, narrowed down to between the leaves that still fit and the first that does not."""
    made = tuple(heads(contents))
    good = [leaf.entries for leaf in leaves if leaf.entries < len(made) and made[leaf.entries] == leaf.head]
    detail = f"{error}; up to entry {max(good, default=0)} it is what was signed"
    return Finding(code="entry_changed", where=case_id, detail=detail)


def _check_leaves(case_id: str, contents: Sequence[bytes], leaves: Iterable[Leaf]) -> Iterator[Finding]:
    """Each head that a checkpoint has signed must still be one of the chain's."""
    made = tuple(heads(contents))
    for leaf in leaves:
        if leaf.entries >= len(made):
            detail = f"a checkpoint has signed {leaf.entries} entries, and {len(contents)} are there"
            yield Finding(code="entries_truncated", where=case_id, detail=detail)
            return
        if made[leaf.entries] != leaf.head:
            detail = f"its first {leaf.entries} entries are not those that a checkpoint has signed"
            yield Finding(code="entry_changed", where=case_id, detail=detail)
            return


def _check_receipts(file: CaseFile, entries: Iterable[AuditEntry]) -> Iterator[Finding]:
    """Receipts and the entries of their redemptions belong together."""
    recorded = {receipt for entry in entries if entry.event == REDEEMED for receipt in entry.details["receipts"]}
    for receipt in sorted(recorded ^ set(file.receipts)):
        detail = f"{receipt} is {'not there' if receipt in recorded else 'there, and no entry tells of it'}"
        yield Finding(code="receipt_unrecorded", where=file.case.id, detail=detail)


def _check_kept(checkpoints: Sequence[Checkpoint], anchors: Anchors) -> Iterator[Finding]:
    """Each checkpoint that somebody kept, alone or in a receipt, must still be the one of its number."""
    for kept in _kept(anchors):
        where = f"checkpoint {kept.n}"
        if kept.n > len(checkpoints):
            detail = f"{kept.source} was given it, and the log ends at {len(checkpoints)}: its tail was cut off"
            yield Finding(code="tail_truncated", where=where, detail=detail)
        elif not kept.fits(checkpoints[kept.n - 1]):
            detail = f"{kept.source} was given another one of this number: the log was forked"
            yield Finding(code="forked", where=where, detail=detail)


@dataclass(frozen=True, slots=True)
class _Kept:
    n: int
    size: int
    root: str
    source: str

    def fits(self, checkpoint: Checkpoint) -> bool:
        return (checkpoint.claims.size, checkpoint.claims.root) == (self.size, self.root)


def _kept(anchors: Anchors) -> Iterator[_Kept]:
    for each in anchors.checkpoints:
        yield _Kept(each.claims.n, each.claims.size, each.claims.root, "somebody")
    for receipt in anchors.receipts:
        claims = receipt.claims
        if claims.checkpoint:
            yield _Kept(claims.checkpoint, claims.checkpoint_size, claims.checkpoint_root, f"receipt {claims.jti}")


def _proven_to(checkpoints: Sequence[Checkpoint], anchors: Anchors) -> int | None:
    fitting = [kept.n for kept in _kept(anchors) if kept.n <= len(checkpoints) and kept.fits(checkpoints[kept.n - 1])]
    return max(fitting, default=None)


async def _check_receipt(store: Store, receipt: CheckedReceipt) -> Iterator[Finding]:
    """The redemption that a receipt tells of must be the entry that it names, after the history that it names."""
    claims = receipt.claims
    contents = await store.audit(claims.case)
    made = tuple(heads(contents))
    at = claims.audit_entries
    if at >= len(contents):
        detail = f"receipt {claims.jti} tells of entry {at}, and {len(contents)} are there"
        return iter([Finding(code="tail_truncated", where=claims.case, detail=detail)])
    if made[at] != claims.audit_head or claims.jti not in _redeemed_by(contents[at]):
        detail = f"receipt {claims.jti} tells of entry {at} after another history: the chain was forked"
        return iter([Finding(code="forked", where=claims.case, detail=detail)])
    return iter(())


def _redeemed_by(content: bytes) -> Sequence[str]:
    try:
        entry = msgspec.json.decode(content, type=AuditEntry)
    except msgspec.MsgspecError:
        return ()
    return tuple(entry.details.get("receipts", ())) if entry.event == REDEEMED else ()


def _deleted(case_id: str) -> Finding:
    return Finding(code="case_deleted", where=case_id, detail="a checkpoint has signed its entries, and it is gone")
