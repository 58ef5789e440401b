"""What other sessions have left, for a time: whose face, which frames, and from where. Compared in memory only.

Keys, none of which names a person:

    fraud:faces             sorted set   `case subject`, by the time of the subject's latest session
    {fraud}:frames          hash         session → sealed fingerprints and digests of its frames
    {fraud}:frames:at       sorted set   session, by time
    fraud:from:<keyed hash> sorted set   keyed hashes of people, by the time of their latest session from one network,
                                         or on one device

Templates are no copies: they are read where they lie, with their cases, so that who was erased or replaced has fallen
out. Frames are sealed under their person's key. Each window holds no more than the policy says, the newest first.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.embedding import Embedding, cosine
from models.fingerprint import Fingerprints, distinct, fingerprints, near
from verify.casefile import Case, CaseFile, Mode, ReferenceState, Subject, decode_case, decode_subject
from verify.connection import Script, text
from verify.errors import Gone
from verify.fraud import FraudEvidence, Traces
from verify.fraud_policy import FraudPolicy
from verify.references import blob_name, reference_binding
from verify.store import Store
from verify.vault import Vault

Digests = NDArray[np.uint64]
"""(N,): a shortened hash of each frame's bytes."""

FACES = "fraud:faces"
FRAMES = "{fraud}:frames"
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86400.0

REMEMBER = Script.of("""
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return tostring(redis.call('ZCARD', KEYS[1]))
""")
"""Member and time; what is older, or beyond the number that is kept, goes."""

REMEMBER_FRAMES = Script.of("""
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[1], ARGV[2], ARGV[6])
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[3])
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1 - tonumber(ARGV[4]))) do
    old[#old + 1] = member
end
for _, member in ipairs(old) do
    redis.call('HDEL', KEYS[1], member)
    redis.call('ZREM', KEYS[2], member)
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 'done'
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """The frames of one session, as they are kept. `wrapped_key`: of the case; it opens nothing without the shelf."""

    case: str
    subject: str
    at: float
    wrapped_key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudMemory:
    """Remembers sessions, and compares one with those before it."""

    store: Store
    vault: Vault
    policy: FraudPolicy

    async def measure(
        self, file: CaseFile, subject: Subject, session_id: str, traces: Traces, *, now: float
    ) -> FraudEvidence:
        """Remember a session of a subject, then compare it with the others: of two at once one sees the other.

        Raises:
            Unavailable: the store, or a key; nothing can be said.
        """
        await self._remember_face(file, subject, now)
        network = None if traces.address is None else network_of(traces.address)
        same, similar = await self._frames(file, subject, session_id, traces, now)
        return FraudEvidence(
            face_in_case=await self._closest(traces.face, file.case, subject, self._others_of(file, subject)),
            face_across_cases=await self._closest(traces.face, file.case, subject, await self._elsewhere(file, now)),
            same_frames=same,
            similar_frames=similar,
            pace=await self._people_from("network", network, subject, now, most=self.policy.pace.at_least),
            device_pace=await self._people_from(
                "device", file.sessions[session_id].device, subject, now, most=self.policy.device_pace.at_least
            ),
        )

    async def _remember_face(self, file: CaseFile, subject: Subject, now: float) -> None:
        window = self.policy.faces_days * DAY_SECONDS
        arguments = _window(f"{file.case.id} {subject.id}", now, window, self.policy.faces_most)
        await self.store.run(REMEMBER, [FACES], arguments)

    def _others_of(self, file: CaseFile, subject: Subject) -> tuple[tuple[str, str], ...]:
        return tuple((file.case.id, other.id) for other in file.roster.values() if other.person != subject.person)

    async def _elsewhere(self, file: CaseFile, now: float) -> tuple[tuple[str, str], ...]:
        since = now - self.policy.faces_days * DAY_SECONDS
        found = await self.store.ask("ZRANGEBYSCORE", FACES, repr(since), "+inf")
        places = (text(member).split(" ") for member in found)
        return tuple((case, subject) for case, subject in places if case != file.case.id)

    async def _closest(
        self, face: Embedding | None, own: Case, subject: Subject, places: Sequence[tuple[str, str]]
    ) -> float | None:
        """The largest cosine of a face with the templates of other people; None if there are none, or no face was seen:
        then nobody is accepted anyway."""
        if face is None:
            return None
        found = await self.store.several_fields([(case, ("case", f"subject:{other}")) for case, other in places])
        comparable = await asyncio.to_thread(_comparable, found, face=face, mode=own.mode, person=subject.person)
        blobs = await self.store.blobs([(case.id, blob_name(other)) for case, other in comparable])
        return await asyncio.to_thread(self._largest_cosine, face, comparable, blobs)

    def _largest_cosine(
        self, face: Embedding, people: Sequence[tuple[Case, Subject]], blobs: Sequence[bytes | None]
    ) -> float | None:
        templates = (self._template(case, other, blob) for (case, other), blob in zip(people, blobs, strict=True))
        return max((cosine(face, template) for template in templates if template is not None), default=None)

    def _template(self, case: Case, subject: Subject, sealed: bytes | None) -> Embedding | None:
        """A person's template; None once it was erased."""
        contract = subject.reference_contract
        if sealed is None or contract is None:
            return None
        bound_to = reference_binding(subject, contract)
        try:
            content = self.vault.open(sealed, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=bound_to)
        except Gone:
            return None
        return Embedding.from_bytes(content, contract=contract)

    async def _frames(
        self, file: CaseFile, subject: Subject, session_id: str, traces: Traces, now: float
    ) -> tuple[float | None, float | None]:
        """Frames that came before, to the byte and nearly, in the one other session that has most of them."""
        if not traces.fingerprints:
            return None, None
        window = self.policy.frames_hours * HOUR_SECONDS
        kept = msgspec.msgpack.encode(self._kept(file, subject, traces, now))
        arguments = [*_window(session_id, now, window, self.policy.frames_most), kept]
        await self.store.run(REMEMBER_FRAMES, [FRAMES, f"{FRAMES}:at"], arguments)
        stored = await self.store.ask("HGETALL", FRAMES)
        others = [content for name, content in stored.items() if text(name) != session_id]
        return await asyncio.to_thread(self._compare_frames, traces, others, now - window)

    def _kept(self, file: CaseFile, subject: Subject, traces: Traces, now: float) -> _Frames:
        content = msgspec.msgpack.encode((traces.fingerprints, traces.digests))
        wrapped_key = file.case.wrapped_key
        sealed = self.vault.seal(
            content, case_id=file.case.id, wrapped_key=wrapped_key, bound_to=_frames_binding(subject.id)
        )
        return _Frames(case=file.case.id, subject=subject.id, at=now, wrapped_key=wrapped_key, sealed=sealed)

    def _compare_frames(
        self, traces: Traces, others: Iterable[bytes], since: float
    ) -> tuple[float | None, float | None]:
        opened = [found for content in others if (found := self._opened(content, since)) is not None]
        if not opened:
            return None, None
        own = distinct(fingerprints(traces.fingerprints), apart=self.policy.frames_distinct_bits)
        same = _most_same(_digests(traces.digests), [digests for _, digests in opened])
        if len(own) < self.policy.frames_least:
            return same, None
        return same, _most_similar(own, [prints for prints, _ in opened], bits=self.policy.frames_bits)

    def _opened(self, content: bytes, since: float) -> tuple[Fingerprints, Digests] | None:
        """Fingerprints and digests of another session; None if it is too old or was erased."""
        kept = msgspec.msgpack.decode(content, type=_Frames)
        if kept.at < since:
            return None
        try:
            opened = self.vault.open(
                kept.sealed, case_id=kept.case, wrapped_key=kept.wrapped_key, bound_to=_frames_binding(kept.subject)
            )
        except Gone:
            return None
        prints, digests = msgspec.msgpack.decode(opened, type=tuple[bytes, bytes])
        return fingerprints(prints), _digests(digests)

    async def _people_from(
        self, kind: str, where: str | None, subject: Subject, now: float, *, most: float
    ) -> float | None:
        """How many people had a session from one place lately, this one with them; no further than `most` and one."""
        if where is None:
            return None
        place = self.vault.person_hash(kind, where)
        person = self.vault.person_hash("at", f"{place} {subject.person}")
        window = _window(person, now, self.policy.pace_hours * HOUR_SECONDS, int(most) + 1)
        return float(await self.store.run(REMEMBER, [f"fraud:from:{place}"], window))


def network_of(address: str) -> str:
    """What one household or office has: an IPv4 address, or the first 64 bits of an IPv6 address (RFC 6177)."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)


def _comparable(
    places: Iterable[Sequence[bytes | None]], *, face: Embedding, mode: Mode, person: str
) -> list[tuple[Case, Subject]]:
    """Other people of this mode with a template of the same weights. A case whose key is gone has none."""
    found = (
        (decode_case(case), decode_subject(other)) for case, other in places if case is not None and other is not None
    )
    return [
        (case, other)
        for case, other in found
        if case.mode == mode
        and case.wrapped_key
        and other.person != person
        and not other.removed
        and other.reference_state is ReferenceState.TEMPLATE
        and other.reference_contract == face.contract
    ]


def _frames_binding(subject_id: str) -> tuple[str, ...]:
    return (subject_id, "frames")


def _digests(content: bytes) -> Digests:
    return np.frombuffer(content, np.uint64)


def _most_same(own: Digests, others: Sequence[Digests]) -> float:
    """How many different frames came to the byte in that one of several other sessions which has most of them."""
    sessions, digests = _joined(others)
    came = np.isin(digests, own)
    found = set(zip(sessions[came].tolist(), digests[came].tolist(), strict=True))
    return float(max(Counter(session for session, _ in found).values(), default=0))


def _most_similar(own: Fingerprints, others: Sequence[Fingerprints], *, bits: int) -> float:
    """Share of own frames of which that one of several other sessions has a near-identical one which has most."""
    sessions, prints = _joined(others)
    places, close = near(own, prints, bits=bits)
    shares = (close[:, sessions[places] == session].any(axis=1).mean() for session in set(sessions[places].tolist()))
    return float(max(shares, default=0.0))


def _joined(parts: Sequence[NDArray[np.uint64]]) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """All rows of several arrays, and of each row in which of them it was."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts]), np.concatenate(parts)


def _window(member: str, now: float, seconds: float, most: int) -> list[str | bytes | int]:
    return [repr(now), member, repr(now - seconds), most, int(seconds * 1000)]
