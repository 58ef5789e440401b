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

import numpy as np
from numpy.typing import NDArray

from models.embedding import Embedding, cosine
from models.fingerprint import Fingerprints, distinct, fingerprints, near
from verify.casefile import CaseFile, Subject
from verify.connection import Script
from verify.fraud import FraudEvidence, Traces
from verify.fraud_policy import FraudPolicy
from verify.fraud_window import (
    DAY_SECONDS,
    FACES,
    FRAMES,
    FRAMES_AT,
    HOUR_SECONDS,
    Digests,
    FraudWindow,
    Recollection,
    as_digests,
)
from verify.store import Store
from verify.vault import Vault

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
class FraudMemory:
    """Remembers sessions, and compares one with those before it."""

    store: Store
    vault: Vault
    policy: FraudPolicy

    @property
    def window(self) -> FraudWindow:
        """What sessions are compared with."""
        return FraudWindow(store=self.store, vault=self.vault, policy=self.policy)

    async def measure(
        self,
        file: CaseFile,
        subject: Subject,
        session_id: str,
        traces: Traces,
        *,
        now: float,
        recalled: Recollection | None = None,
    ) -> FraudEvidence:
        """Remember a session of a subject, then compare it with the others: of two at once one sees the other.

        `recalled`: what was read of the windows before (`FraudWindow.recall`); what has come since is read now.

        Raises:
            Unavailable: the store, or a key; nothing can be said.
        """
        device = file.sessions[session_id].device
        network = None if traces.address is None else network_of(traces.address)
        _, _, pace, device_pace = await asyncio.gather(
            self._remember_face(file, subject, now),
            self._remember_frames(file, subject, session_id, traces, now),
            self._people_from("network", network, subject, now, most=self.policy.pace.at_least),
            self._people_from("device", device, subject, now, most=self.policy.device_pace.at_least),
        )
        others, in_case = await asyncio.gather(
            self.window.recall(file, subject, now=now, before=recalled),
            self._closest_in_case(traces.face, file, subject),
        )
        same, similar = await asyncio.to_thread(self._compare_frames, session_id, traces, others)
        return FraudEvidence(
            face_in_case=in_case,
            face_across_cases=await asyncio.to_thread(_closest, traces.face, others.faces.values()),
            same_frames=same,
            similar_frames=similar,
            pace=pace,
            device_pace=device_pace,
        )

    async def _remember_face(self, file: CaseFile, subject: Subject, now: float) -> None:
        seconds = self.policy.faces_days * DAY_SECONDS
        arguments = _window(f"{file.case.id} {subject.id}", now, seconds, self.policy.faces_most)
        await self.store.run(REMEMBER, [FACES], arguments)

    async def _remember_frames(
        self, file: CaseFile, subject: Subject, session_id: str, traces: Traces, now: float
    ) -> None:
        if traces.fingerprints:
            seconds = self.policy.frames_hours * HOUR_SECONDS
            sealed = self.window.seal_frames(file, subject, traces, now=now)
            arguments = [*_window(session_id, now, seconds, self.policy.frames_most), sealed]
            await self.store.run(REMEMBER_FRAMES, [FRAMES, FRAMES_AT], arguments)

    async def _closest_in_case(self, face: Embedding | None, file: CaseFile, subject: Subject) -> float | None:
        others = [(file.case.id, other.id) for other in file.roster.values() if other.person != subject.person]
        return _closest(face, (await self.window.templates(others, file.case, subject)).values())

    def _compare_frames(
        self, session_id: str, traces: Traces, recalled: Recollection
    ) -> tuple[float | None, float | None]:
        """Frames that came before, to the byte and nearly, in the one other session that has most of them."""
        others = [found for name, found in recalled.frames.items() if found is not None and name != session_id]
        if not traces.fingerprints or not others:
            return None, None
        own = distinct(fingerprints(traces.fingerprints), apart=self.policy.frames_distinct_bits)
        same = _most_same(as_digests(traces.digests), [digests for _, digests in others])
        if len(own) < self.policy.frames_least:
            return same, None
        return same, _most_similar(own, [prints for prints, _ in others], bits=self.policy.frames_bits)

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


def _closest(face: Embedding | None, templates: Iterable[Embedding | None]) -> float | None:
    """The largest cosine of a face with templates; None if there are none, or no face was seen: then nobody is accepted
    anyway."""
    if face is None:
        return None
    return max((cosine(face, template) for template in templates if template is not None), default=None)


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
