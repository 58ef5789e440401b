"""Checkpoints: signed heads over the audit chains of all cases, in a Merkle tree that only grows.

Each checkpoint continues the one before, provably (RFC 9162, 2.1.4). Whoever keeps one, alone or inside a receipt, can
later tell that nothing before it was taken away, not even by the service itself. The key signs nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import msgspec

from verify.errors import Invalid, NotFound, Unavailable
from verify.jose import (
    ALGORITHM,
    BOTH_NAMES,
    Algorithm,
    SignatureInvalidError,
    VerifyingKey,
    sign,
    verify,
)
from verify.ledger import Leaf, LogState, Marked, PlacedLeaf
from verify.merkle import EMPTY_ROOT, Span, consistency_spans, grown, inclusion_spans, leaf_hash, root_of, subtrees
from verify.signing import RingFile
from verify.store import Seen, Store

CHECKPOINT_KIND = "heyan-checkpoint+jwt"

BATCH = 500
"""Cases that are looked at together. A checkpoint takes in fewer than twice as many."""

MARKS = 20_000
"""Marks that are looked at for one checkpoint at most: 60 seconds of more than 300 changes a second."""

SETTLED_SECONDS = 60.0
"""A change is marked a moment before it is applied: a mark is forgotten only when that moment has certainly passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointClaims:
    """What a checkpoint says."""

    iss: str
    n: int
    """Its number, from 1."""
    size: int
    """Leaves of the tree."""
    root: str
    """Root of the tree, hexadecimal."""
    previous: str
    """SHA-256 (hexadecimal) of the text of checkpoint n - 1; "" for the first."""
    iat: int
    """When it was signed: Unix seconds by the store's clock."""
    epoch: int
    """Epoch of the store: a larger one than before says that a backup was restored."""


NONE_YET = CheckpointClaims(iss="", n=0, size=0, root=EMPTY_ROOT.hex(), previous="", iat=0, epoch=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint: its signed text, and what it says."""

    text: str
    claims: CheckpointClaims


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """A case's audit head, and the proof that a checkpoint covers it."""

    placed: PlacedLeaf
    checkpoint: Checkpoint
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """Signs checkpoints and gives them out, with proofs."""

    store: Store
    ring: RingFile
    issuer: str
    algorithm: Algorithm = ALGORITHM

    async def advance(self) -> Checkpoint | None:
        """Sign a checkpoint over what has changed; None if nothing has, or another replica was faster.

        Raises:
            StoreUnavailable: no answer, or none that was confirmed; it may be there.
            Unavailable: `checkpoint_damaged`: nothing is signed on top of what is not ours.
        """
        ledger, now = self.store.ledger, await self.store.now()
        state = await ledger.state()
        self._require_own(state)
        fresh, seen = await self._fresh(await ledger.marked(limit=MARKS))
        checkpoint = await self._sign(state, fresh, now=now) if fresh else None
        if checkpoint is not None or not fresh:
            await ledger.settle(mark for mark in seen if mark.since < now - SETTLED_SECONDS)
        return checkpoint

    async def newest(self) -> Checkpoint | None:
        """The newest checkpoint. Raises Unavailable `checkpoint_damaged` if the store holds one that is not ours."""
        return self._require_own(await self.store.ledger.state())

    def seen(self, seen: Seen) -> Checkpoint | None:
        """The newest checkpoint of a look at the store. Raises Unavailable `checkpoint_damaged`."""
        return self._own(seen.newest_checkpoint) if seen.newest_checkpoint else None

    async def get(self, number: int) -> Checkpoint:
        """Raises NotFound `checkpoint_unknown`."""
        found = await self.store.ledger.checkpoints(after=number - 1, limit=1) if number > 0 else ()
        if not found:
            raise NotFound("checkpoint_unknown", "there is no checkpoint of this number")
        return self._own(found[0])

    async def list(self, *, after: int, limit: int) -> tuple[Checkpoint, ...]:
        """Checkpoints from number `after + 1` on."""
        return tuple(self._own(each) for each in await self.store.ledger.checkpoints(after=after, limit=limit))

    async def consistency(self, old: CheckpointClaims, new: CheckpointClaims) -> tuple[str, ...]:
        """The proof that `new` continues `old`: hashes in hexadecimal, empty if `old` is empty or of the same size."""
        spans = consistency_spans(old.size, new.size) if 0 < old.size < new.size else ()
        return await self._hashes(spans)

    async def inclusion(self, case_id: str) -> Inclusion | None:
        """The proof that the newest checkpoint covers a case's newest leaf; None if none covers the case yet."""
        placed = (await self.store.ledger.latest((case_id,))).get(case_id)
        checkpoint = await self.newest()
        if placed is None or checkpoint is None:
            return None
        path = await self._hashes(inclusion_spans(placed.index, checkpoint.claims.size))
        return Inclusion(placed=placed, checkpoint=checkpoint, path=path)

    async def _fresh(self, marked: Sequence[Marked]) -> tuple[Sequence[Leaf], Sequence[Marked]]:
        """New leaves of cases that have changed since their last one, and the marks that were looked at for them."""
        fresh, seen = list[Leaf](), 0
        while seen < len(marked) and len(fresh) < BATCH:
            cases = [mark.case for mark in marked[seen : seen + BATCH]]
            heads, known = await self.store.ledger.heads(cases), await self.store.ledger.latest(cases)
            fresh += [leaf for case, leaf in heads.items() if case not in known or known[case].leaf != leaf]
            seen += len(cases)
        return fresh, marked[:seen]

    async def _sign(self, state: LogState, leaves: Sequence[Leaf], *, now: float) -> Checkpoint | None:
        ledger = self.store.ledger
        size = state.size + len(leaves)
        nodes = await ledger.nodes(subtrees((0, state.size)))
        new = grown(state.size, (leaf_hash_of(leaf) for leaf in leaves), nodes)
        root = root_of((0, size), {**nodes, **new})
        claims = await self._claims(state, size=size, root=root, now=now)
        signed = sign(
            msgspec.to_builtins(claims),
            key=self.ring.ring.signer(now=now),
            kind=CHECKPOINT_KIND,
            algorithm=self.algorithm,
        )
        done = await ledger.append(state, leaves, new, signed)
        return Checkpoint(text=signed, claims=claims) if done else None

    async def _claims(self, state: LogState, *, size: int, root: bytes, now: float) -> CheckpointClaims:
        return CheckpointClaims(
            iss=self.issuer,
            n=state.checkpoints + 1,
            size=size,
            root=root.hex(),
            previous=text_hash(state.newest) if state.newest else "",
            iat=int(now),
            epoch=await self.store.epoch(),
        )

    async def _hashes(self, spans: tuple[Span, ...]) -> tuple[str, ...]:
        nodes = await self.store.ledger.nodes(node for span in spans for node in subtrees(span))
        return tuple(root_of(span, nodes).hex() for span in spans)

    def _require_own(self, state: LogState) -> Checkpoint | None:
        """The newest checkpoint of a log, which must be ours and about this very log; None if there is none yet."""
        if not state.checkpoints and not state.size:
            return None
        newest = self._own(state.newest)
        if (newest.claims.n, newest.claims.size) != (state.checkpoints, state.size):
            raise _damaged("the newest checkpoint in the store is not about what the store holds")
        return newest

    def _own(self, text: str) -> Checkpoint:
        try:
            return _checked(text, self.ring.ring.published())
        except Invalid:
            raise _damaged("the store holds a checkpoint that this service has not signed") from None


def check_checkpoint(text: str, *, expected_keys: Iterable[VerifyingKey]) -> Checkpoint:
    """A checkpoint that one of these keys has signed, checked offline.

    Raises:
        Invalid: `checkpoint_invalid`.
    """
    keys = [key for key in expected_keys if key.purpose == "checkpoint"]
    try:
        content, _ = verify(text, expected_keys=keys, expected_kind=CHECKPOINT_KIND, algorithms=BOTH_NAMES)
        claims = msgspec.convert(content, CheckpointClaims, strict=True)
    except (SignatureInvalidError, msgspec.ValidationError):
        message = "no key of this set has signed this text as a checkpoint: it was changed, or is another service's"
        raise Invalid("checkpoint_invalid", message) from None
    return Checkpoint(text=text, claims=claims)


@lru_cache(maxsize=16)
def _checked(text: str, keys: tuple[VerifyingKey, ...]) -> Checkpoint:
    """Signatures do not wear off: the newest checkpoint, which every redemption names, is checked once a process."""
    return check_checkpoint(text, expected_keys=keys)


def _damaged(what: str) -> Unavailable:
    return Unavailable("checkpoint_damaged", f"{what}: run heyan audit verify")


def text_hash(text: str) -> str:
    """How a checkpoint names the one before."""
    return sha256(text.encode()).hexdigest()


def leaf_hash_of(leaf: Leaf) -> bytes:
    """The leaf's hash in the tree."""
    return leaf_hash(leaf.content())
