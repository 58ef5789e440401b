"""What other sessions have left and may be compared with: read where it lies, and opened in memory for a time.

Opening is what takes time, a key derived for each person, so a session's end need not wait for all of it: `recall`
can be asked before, and once more at the end for what has come since.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.embedding import Embedding
from models.fingerprint import Fingerprints, fingerprints
from verify.casefile import Case, CaseFile, ReferenceState, Subject, decode_case, decode_subject
from verify.connection import text
from verify.errors import Gone
from verify.fraud import Traces
from verify.fraud_policy import FraudPolicy
from verify.references import blob_name, reference_binding
from verify.store import Store
from verify.vault import Vault

FACES = "fraud:faces"
FRAMES = "{fraud}:frames"
FRAMES_AT = f"{FRAMES}:at"
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86400.0

Digests = NDArray[np.uint64]
"""(N,): a shortened hash of each frame's bytes."""

Place = tuple[str, str]
"""A case and a subject of it."""

Frames = tuple[Fingerprints, Digests]


@dataclass(frozen=True, slots=True)
class Recollection:
    """What was in the windows. None stands for what was found and is not to be compared, so that it is read once."""

    faces: Mapping[tuple[Place, float], Embedding | None] = field(default_factory=dict, repr=False)
    """Templates of people of other cases, by their place and the time of their latest session."""
    frames: Mapping[str, Frames | None] = field(default_factory=dict, repr=False)
    """By session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeptFrames:
    """The frames of one session, as they are kept. `wrapped_key`: of the case; it opens nothing without the shelf."""

    case: str
    subject: str
    at: float
    wrapped_key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudWindow:
    """Reads the windows of the policy and opens what is in them."""

    store: Store
    vault: Vault
    policy: FraudPolicy

    async def recall(
        self, file: CaseFile, subject: Subject, *, now: float, before: Recollection | None = None
    ) -> Recollection:
        """What a session of a subject is compared with. Of what was recalled before, only what is still in a window is
        kept, and only what is not in it is read and opened.

        Raises:
            Unavailable: the store, or a key.
        """
        known, policy = before or Recollection(), self.policy
        faces, frames = await asyncio.gather(
            self._faces(file.case, subject, known.faces, since=now - policy.faces_days * DAY_SECONDS),
            self._frames(known.frames, since=now - policy.frames_hours * HOUR_SECONDS),
        )
        return Recollection(faces=faces, frames=frames)

    async def templates(self, places: Sequence[Place], own: Case, subject: Subject) -> dict[Place, Embedding]:
        """Templates of those at these places that a subject is compared with.

        They are other people of the same mode, whose templates were made by the same weights and lie there still.
        """
        found = await self.store.several_fields([(case, ("case", f"subject:{other}")) for case, other in places])
        comparable = await asyncio.to_thread(_comparable, found, own=own, subject=subject)
        blobs = await self.store.blobs([(case.id, blob_name(other)) for case, other in comparable])
        return await asyncio.to_thread(self._opened_templates, comparable, blobs)

    def seal_frames(self, file: CaseFile, subject: Subject, traces: Traces, *, now: float) -> bytes:
        """A session's frames as they are kept in the window, under their person's key."""
        content = msgspec.msgpack.encode((traces.fingerprints, traces.digests))
        case_id, wrapped_key = file.case.id, file.case.wrapped_key
        binding = _frames_binding(subject.id)
        sealed = self.vault.seal(content, case_id=case_id, wrapped_key=wrapped_key, bound_to=binding)
        kept = _KeptFrames(case=case_id, subject=subject.id, at=now, wrapped_key=wrapped_key, sealed=sealed)
        return msgspec.msgpack.encode(kept)

    async def _faces(
        self, own: Case, subject: Subject, known: Mapping[tuple[Place, float], Embedding | None], *, since: float
    ) -> dict[tuple[Place, float], Embedding | None]:
        found = await self.store.ask("ZRANGE", FACES, repr(since), "+inf", "BYSCORE", "WITHSCORES")
        marks = [(_place(member), float(at)) for member, at in found]
        elsewhere = [mark for mark in marks if mark[0][0] != own.id]
        opened = await self.templates([place for place, at in elsewhere if (place, at) not in known], own, subject)
        return {mark: known[mark] if mark in known else opened.get(mark[0]) for mark in elsewhere}

    def _opened_templates(
        self, people: Sequence[tuple[Case, Subject]], blobs: Sequence[bytes | None]
    ) -> dict[Place, Embedding]:
        return {
            (case.id, other.id): template
            for (case, other), blob in zip(people, blobs, strict=True)
            if (template := self._template(case, other, blob)) is not None
        }

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

    async def _frames(self, known: Mapping[str, Frames | None], *, since: float) -> dict[str, Frames | None]:
        sessions = [text(name) for name in await self.store.ask("ZRANGE", FRAMES_AT, repr(since), "+inf", "BYSCORE")]
        fresh = [name for name in sessions if name not in known]
        sealed = await self.store.ask("HMGET", FRAMES, *fresh) if fresh else []
        opened = dict(zip(fresh, await asyncio.to_thread(self._opened_frames, sealed), strict=True))
        return {name: known[name] if name in known else opened[name] for name in sessions}

    def _opened_frames(self, kept: Iterable[bytes | None]) -> list[Frames | None]:
        return [None if content is None else self._frames_of(content) for content in kept]

    def _frames_of(self, content: bytes) -> Frames | None:
        """Fingerprints and digests of a session; None if they were erased."""
        kept = msgspec.msgpack.decode(content, type=_KeptFrames)
        binding = _frames_binding(kept.subject)
        try:
            opened = self.vault.open(kept.sealed, case_id=kept.case, wrapped_key=kept.wrapped_key, bound_to=binding)
        except Gone:
            return None
        prints, digests = msgspec.msgpack.decode(opened, type=tuple[bytes, bytes])
        return fingerprints(prints), as_digests(digests)


def as_digests(content: bytes) -> Digests:
    """From digests that were joined. Raises ValueError if they are not whole."""
    return np.frombuffer(content, np.uint64)


def _comparable(places: Iterable[Sequence[bytes | None]], *, own: Case, subject: Subject) -> list[tuple[Case, Subject]]:
    """Other people of this mode with a template of the same weights. A case whose key is gone has none."""
    found = (
        (decode_case(case), decode_subject(other)) for case, other in places if case is not None and other is not None
    )
    return [
        (case, other)
        for case, other in found
        if case.mode == own.mode
        and case.wrapped_key
        and other.person != subject.person
        and not other.removed
        and other.reference_state is ReferenceState.TEMPLATE
        and other.reference_contract == subject.reference_contract
    ]


def _place(member: bytes) -> Place:
    case, _, subject = text(member).partition(" ")
    return case, subject


def _frames_binding(subject_id: str) -> tuple[str, ...]:
    return (subject_id, "frames")
