"""What is kept about all cases together: which changed, the Merkle tree over their audit heads, and its checkpoints.

Keys, all under one hash tag:

    changed       sorted set   cases by the time of their last change; marked before each change, so that none is missed
    journal:*     sorted sets  by mode and event: the places of all audit entries, by time; noted before each change
    leaves        list         of the tree, in order: a case, its number of audit entries, and its head
    nodes         hash         `level:index` → 32 bytes, of each complete subtree
    latest        hash         case → its newest leaf
    checkpoints   list         signed texts; the first is number 1
    ends          sorted set   cases by when they end or have ended, until they are erased
    faces         hash         case → how many faces it stores; `total` → all
    lease         string       which replica's turn it is to sign
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from verify.connection import Command, Connection, Script, text
from verify.errors import StoreUnavailable
from verify.merkle import Node

APPEND = Script.of("""
local count = redis.call('LLEN', KEYS[4])
if count == tonumber(ARGV[2]) + 1 and redis.call('LINDEX', KEYS[4], -1) == ARGV[3] then
    redis.call('LSET', KEYS[4], -1, ARGV[3])
    return 'done'
end
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) or count ~= tonumber(ARGV[2]) then
    return 'conflict'
end
local at = 5
for leaf = 0, tonumber(ARGV[4]) - 1 do
    redis.call('RPUSH', KEYS[1], ARGV[at + 1])
    redis.call('HSET', KEYS[2], ARGV[at], string.format('%d', tonumber(ARGV[1]) + leaf) .. ' ' .. ARGV[at + 1])
    at = at + 2
end
while ARGV[at] do
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
    at = at + 2
end
redis.call('RPUSH', KEYS[4], ARGV[3])
return 'done'
""")
"""Leaves, nodes and checkpoint, if the log is still as long as when the checkpoint was signed: no two replicas can sign
different continuations. Repeated after a lost answer, it is recognised."""

SETTLE = Script.of("""
for at = 1, #ARGV, 2 do
    local since = redis.call('ZSCORE', KEYS[1], ARGV[at])
    if since and tonumber(since) == tonumber(ARGV[at + 1]) then
        redis.call('ZREM', KEYS[1], ARGV[at])
    end
end
return 'done'
""")

COUNT = Script.of("""
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local now = tonumber(ARGV[2])
if now == 0 then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('HINCRBY', KEYS[1], 'total', now - before)
return 'done'
""")

LEASE = Script.of("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
    return 'held'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'done'
""")

LEAVE = Script.of("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return 'done'
""")

STATE = Script.of("""
local newest = redis.call('LINDEX', KEYS[2], -1) or ''
return string.format('%d %d ', redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2])) .. newest
""")

PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """The state of a case's audit chain: `head` after `entries` entries."""

    case: str
    entries: int
    head: str

    def content(self) -> bytes:
        """Canonical JSON: what the tree hashes."""
        return msgspec.json.encode(self, order="sorted")


@dataclass(frozen=True, slots=True)
class PlacedLeaf:
    """A leaf and its place in the tree."""

    index: int
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class LogState:
    """How long the log is, and its newest checkpoint ("" if there is none)."""

    size: int
    checkpoints: int
    newest: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A case that may have changed. `since`: when it was marked, Unix seconds by the store's clock."""

    case: str
    since: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where an audit entry lies: in which case's chain, at which number, and when it was made (ms since 1970)."""

    case: str
    seq: int
    at_ms: int

    def entry(self) -> str:
        """Sorted by text, oldest first."""
        return f"{self.at_ms:015d}:{self.case}:{self.seq}"

    @classmethod
    def of(cls, entry: str) -> "Place":
        """The place that `entry` has written."""
        at_ms, case, seq = entry.split(":")
        return cls(case, int(seq), int(at_ms))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The log in one store under one key prefix. Everything raises StoreUnavailable if the store does not answer."""

    connection: Connection
    prefix: str

    def announce(self, case_id: str, *, kind: str, seq: int, at: float) -> tuple[Command, ...]:
        """The commands that mark a case as changed and note the place of the audit entry that the change appends.

        To be sent just before the change, over the same connection. `kind`: mode and event, as `live:case.opened`.
        """
        mark = ("ZADD", self._key("changed"), repr(at), case_id)
        return mark, ("ZADD", self._key(f"journal:{kind}"), 0, Place(case_id, seq, int(at * 1000)).entry())

    async def places(
        self, kinds: Sequence[str], *, since_ms: int, below: str | None, before_ms: int, limit: int
    ) -> tuple[Place, ...]:
        """Where audit entries of these kinds lie, newest first: from a time on (ms), before another and below a place.

        Some may have come to nothing: an entry was announced, and its change then refused.
        """
        start = min(below or "~", f"{before_ms:015d}")
        span = (f"({start}", f"[{since_ms:015d}", "BYLEX", "REV", "LIMIT", 0, limit)
        found = await self.connection.ask_all(*(("ZRANGE", self._key(f"journal:{kind}"), *span) for kind in kinds))
        return tuple(
            Place.of(each) for each in sorted({text(each) for part in found for each in part}, reverse=True)[:limit]
        )

    async def counted(self, kinds: Sequence[str], *, since_ms: int) -> dict[str, int]:
        """How many audit entries of each kind were announced from a time on (ms)."""
        commands = [("ZLEXCOUNT", self._key(f"journal:{kind}"), f"[{since_ms:015d}", "+") for kind in kinds]
        counts = await self.connection.ask_all(*commands)
        return {kind: int(count) for kind, count in zip(kinds, counts, strict=True)}

    async def marked(self, *, limit: int) -> tuple[Marked, ...]:
        """Cases that may have changed, longest ago first."""
        found = await self.connection.ask("ZRANGE", self._key("changed"), 0, limit - 1, "WITHSCORES")
        return tuple(Marked(text(case), float(since)) for case, since in found)

    async def settle(self, marked: Iterable[Marked]) -> None:
        """Forget marks, unless the case was marked anew since."""
        arguments = [part for each in marked for part in (each.case, repr(each.since))]
        if arguments:
            await self.connection.run(SETTLE, [self._key("changed")], arguments, durable=False)

    async def note_end(self, case_id: str, at: float, *, final: bool) -> None:
        """Note when a case ends (Unix seconds). Of one that has ended the earliest time noted counts."""
        earlier = ("LT",) if final else ()
        await self.connection.ask("ZADD", self._key("ends"), *earlier, repr(at), case_id)

    async def forget_end(self, case_id: str) -> None:
        """Forget when a case ended: nothing is left to erase."""
        await self.connection.ask("ZREM", self._key("ends"), case_id)

    async def ended(self, *, before: float, limit: int) -> tuple[str, ...]:
        """Cases that ended at or before a time (Unix seconds), longest ago first."""
        found = await self.connection.ask("ZRANGEBYSCORE", self._key("ends"), "-inf", repr(before), "LIMIT", 0, limit)
        return tuple(text(case) for case in found)

    async def ending_after(self, now: float) -> int:
        """How many cases end after a time (Unix seconds), as noted: of now, those that are open."""
        return int(await self.connection.ask("ZCOUNT", self._key("ends"), f"({now!r}", "+inf"))

    async def note_faces(self, case_id: str, count: int) -> None:
        """Note how many faces a case stores."""
        await self.connection.run(COUNT, [self._key("faces")], [case_id, count], durable=False)

    async def stored_faces(self) -> int:
        """How many faces all cases store, as noted."""
        return int(await self.connection.ask("HGET", self._key("faces"), "total") or 0)

    async def take_turn(self, owner: str, *, seconds: float) -> bool:
        """Whether it is this owner's turn, now and for so long unless it is renewed."""
        arguments = [owner, max(1, int(seconds * 1000))]
        return await self.connection.run(LEASE, [self._key("lease")], arguments, durable=False) == "done"

    async def leave_turn(self, owner: str) -> None:
        """Let another have the turn at once, if it is this owner's."""
        await self.connection.run(LEAVE, [self._key("lease")], [owner], durable=False)

    def newest(self) -> Command:
        """The command that asks for the newest checkpoint's signed text."""
        return "LINDEX", self._key("checkpoints"), -1

    async def state(self) -> LogState:
        """The log at one moment."""
        keys = [self._key("leaves"), self._key("checkpoints")]
        size, count, newest = (await self.connection.run(STATE, keys, [], durable=False)).split(" ", 2)
        return LogState(int(size), int(count), newest)

    async def append(self, state: LogState, leaves: Sequence[Leaf], nodes: Mapping[Node, bytes], signed: str) -> bool:
        """Append leaves, their nodes, and the checkpoint over them, durably; False if others were faster."""
        arguments: list[str | bytes | int] = [state.size, state.checkpoints, signed, len(leaves)]
        for leaf in leaves:
            arguments += [leaf.case, leaf.content()]
        for node, value in nodes.items():
            arguments += [_field(node), value]
        keys = [self._key(name) for name in ("leaves", "latest", "nodes", "checkpoints")]
        return await self.connection.run(APPEND, keys, arguments, durable=True) == "done"

    async def heads(self, case_ids: Sequence[str]) -> dict[str, Leaf]:
        """The audit heads of those of these cases that exist."""
        if not case_ids:
            return {}
        commands = [("HMGET", f"{self.prefix}:{{{case}}}:file", "entries", "head") for case in case_ids]
        answers = await self.connection.ask_all(*commands)
        return {
            case: Leaf(case=case, entries=int(entries), head=text(head))
            for case, (entries, head) in zip(case_ids, answers, strict=True)
            if entries is not None
        }

    async def record(self, case_id: str) -> dict[str, bytes]:
        """All fields of a case as they are stored; none if it does not exist."""
        stored = await self.connection.ask("HGETALL", f"{self.prefix}:{{{case_id}}}:file")
        return {text(name): content for name, content in stored.items()}

    async def latest(self, case_ids: Sequence[str]) -> dict[str, PlacedLeaf]:
        """The newest leaves of these cases, for those that have one."""
        if not case_ids:
            return {}
        found = await self.connection.ask("HMGET", self._key("latest"), *case_ids)
        return {case: _placed(value) for case, value in zip(case_ids, found, strict=True) if value is not None}

    async def nodes(self, wanted: Iterable[Node]) -> dict[Node, bytes]:
        """Hashes of complete subtrees. Raises StoreUnavailable if the store has lost one."""
        asked = tuple(dict.fromkeys(wanted))
        if not asked:
            return {}
        found = await self.connection.ask("HMGET", self._key("nodes"), *(_field(node) for node in asked))
        if None in found:
            raise StoreUnavailable("its log of checkpoints lacks a node: run heyan audit verify")
        return dict(zip(asked, found, strict=True))

    async def checkpoints(self, *, after: int, limit: int) -> tuple[str, ...]:
        """Signed checkpoints from number `after + 1` on."""
        found = await self.connection.ask("LRANGE", self._key("checkpoints"), after, after + limit - 1)
        return tuple(text(each) for each in found)

    async def leaves(self) -> AsyncIterator[bytes]:
        """All leaves in order, as stored."""
        start = 0
        while page := await self.connection.ask("LRANGE", self._key("leaves"), start, start + PAGE - 1):
            for content in page:
                yield content
            start += len(page)

    async def cases(self) -> AsyncIterator[str]:
        """The ids of all cases in the store, in no order, each once; of those that come or go meanwhile perhaps."""
        start, end = f"{self.prefix}:{{", "}:file"
        seen = set[str]()
        async for key in self.connection.matching(f"{start}case_*{end}", page=PAGE):
            case = key.removeprefix(start).removesuffix(end)
            if case not in seen:
                seen.add(case)
                yield case

    def _key(self, name: str) -> str:
        return f"{self.prefix}:{{ledger}}:{name}"


def decode_leaf(content: bytes) -> Leaf:
    """Raises ValueError if the bytes are no leaf."""
    return msgspec.json.decode(content, type=Leaf)


def _placed(value: bytes) -> PlacedLeaf:
    index, _, content = value.partition(b" ")
    return PlacedLeaf(int(index), decode_leaf(content))


def _field(node: Node) -> str:
    return f"{node[0]}:{node[1]}"
