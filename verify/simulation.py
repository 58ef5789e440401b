"""Test mode without a camera: people whose names say how their attempt ends.

A simulated attempt goes the way of a real one: invite, consent, exchange, session, claim, and the policy's own
decision on evidence that was made up. Only frames and networks are missing. It exists for cases of test mode alone;
what it verifies says `capture: simulated`, and test mode's tokens and receipts are signed with keys that no live
verifier knows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from liveness.assessment import MORE_CUES, SIGNALS, trust
from liveness.report import CueOutcome, CueReport, LivenessReport, Signal, Status
from models.embedding import Embedding
from models.errors import FaceError
from verify.casefile import CaseFile, Subject
from verify.cases import check_owner, find_subject, known_case
from verify.clients import Client
from verify.errors import Invalid, Refused
from verify.evidence import Evidence
from verify.invites import ConsentGiven, Invites, InviteView
from verify.photo_source import Sought
from verify.policy import Policy
from verify.reference_quality import Reference
from verify.references import open_name
from verify.sessions import SIMULATED, Claim, Sessions
from verify.store import Store
from verify.vault import Vault

DIMENSIONS = 128

FAR = 1e6
"""Beyond every threshold on eye distance (pixels) and sharpness, and still a number that JSON knows."""


def _unchanged(evidence: Evidence) -> Evidence:
    return evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a simulated person does. `changes`: what differs from convincing evidence, in their one attempt."""

    meaning: str
    agrees: bool = True
    has_face: bool = True
    claims: bool = True
    changes: Callable[[Evidence], Evidence] = _unchanged
    cue: CueOutcome = CueOutcome.ANSWERED
    signal: Status = Status.PASS


PARTS: Mapping[str, Part] = {
    "Test Accepted": Part(meaning="agrees, follows every cue, is the person on the photo"),
    "Test Declines": Part(meaning="declines", agrees=False),
    "Test Photo Unusable": Part(meaning="agrees, but the ID photo shows no face", has_face=False),
    "Test Times Out": Part(meaning="agrees, opens a session and never claims it", claims=False),
    "Test Interrupted": Part(meaning="loses the connection", changes=lambda seen: replace(seen, interrupted=True)),
    "Test No Face": Part(meaning="is not in the picture", changes=lambda seen: replace(seen, no_face_share=1.0)),
    "Test Several Faces": Part(meaning="is not alone", changes=lambda seen: replace(seen, several_faces_share=1.0)),
    "Test Too Far": Part(meaning="is too far away", changes=lambda seen: replace(seen, eye_distance_px=0.0)),
    "Test Too Dark": Part(meaning="sits in the dark", changes=lambda seen: replace(seen, brightness=0.0)),
    "Test Blurred": Part(meaning="does not hold still", changes=lambda seen: replace(seen, sharpness=-FAR)),
    "Test Ignores Cues": Part(meaning="does not move", cue=CueOutcome.TIMED_OUT),
    "Test Wrong Motion": Part(meaning="moves otherwise than asked", cue=CueOutcome.WRONG_MOTION),
    "Test Mismatch": Part(
        meaning="is somebody else", changes=lambda seen: replace(seen, similarity=-1.0, least_similarity=-1.0)
    ),
    "Test Attack": Part(meaning="is no live person", signal=Status.FAIL),
    "Test Unclear": Part(meaning="cannot be told from an attack", signal=Status.INCONCLUSIVE),
}
"""Name of a test subject → what they do. docs/integrate.md says what comes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """How a simulated attempt ended: an outcome as of a session, or `declined`, `reference_unusable`, `timed_out`."""

    outcome: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulations:
    """Lets test subjects act. `invites` and `sessions`: those of the service."""

    store: Store
    vault: Vault
    invites: Invites
    sessions: Sessions

    async def run(self, client: Client, case_id: str, subject_id: str) -> Simulated:
        """One attempt of a test subject, from a new invite to its end.

        Raises:
            Refused: `test_mode_only`. Invalid: `test_subject_unknown`.
            As `Invites.issue` and `Sessions.open`: `case_unknown`, `already_verified` and the like.
        """
        if client.mode != "test":
            raise Refused("test_mode_only", "only a key of test mode may simulate: `heyan keys create --test`")
        file, _ = await self.store.load(known_case(case_id))
        check_owner(file, client)
        part = self._part(file, find_subject(file, subject_id))
        invites = replace(self.invites, embed_reference=self._embedder(part), test_photos=_Register())
        code = (await invites.issue(client, file.case.id, subject_id)).code
        if not part.agrees:
            await invites.consent(code, _answer(await invites.inspect(code), agreed=False))
            return Simulated(outcome="declined")
        try:
            await invites.consent(code, _answer(await invites.inspect(code), agreed=True))
        except Invalid as refusal:
            if refusal.code != "reference_unusable":
                raise
            return Simulated(outcome=refusal.code, reason="face_none")
        return await self._attempt((await invites.exchange(code)).secret, part)

    async def _attempt(self, grant: str, part: Part) -> Simulated:
        opened = await self.sessions.open(grant)
        if not part.claims:
            return Simulated(outcome="timed_out")
        claim = await self.sessions.claim(opened.session_id, opened.secret)
        finished = await self.sessions.finish(claim, simulated_evidence(part, claim, self.sessions.policy))
        return Simulated(outcome=finished.outcome, reason=finished.reason)

    def _part(self, file: CaseFile, subject: Subject) -> Part:
        name = open_name(self.vault, file.case, subject)
        if name not in PARTS:
            message = f"this subject's name says nothing of what to simulate; those that do are {', '.join(PARTS)}"
            raise Invalid("test_subject_unknown", message)
        return PARTS[name]

    def _embedder(self, part: Part) -> "_Embedder":
        return _Embedder(contract=self.sessions.policy.contract, has_face=part.has_face)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Embedder:
    """In place of the networks: a vector of the right form that follows from the photo's bytes."""

    contract: str
    has_face: bool

    async def __call__(self, photo: bytes) -> Reference:
        if not self.has_face:
            raise FaceError("face_none", "the photo shows no face")
        seed = int.from_bytes(sha256(photo).digest()[:8])
        vector = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
        return Reference(template=Embedding(vector, self.contract))


@dataclass(frozen=True, slots=True)
class _Register:
    """In place of an authority: something that follows from the person, for `_Embedder` to read."""

    async def fetch(self, sought: Sought) -> bytes:
        """Never empty, and never a picture."""
        return f"{sought.id_type} {sought.id_number} {sought.name}".encode()


def simulated_evidence(part: Part, claim: Claim, policy: Policy) -> Evidence:
    """Evidence as far from every threshold as it can be, but for what the part changes."""
    cues = tuple(
        CueReport(cue=cue, outcome=part.cue, asked_at=None, opened_at=None, answered_at=None, peak=None)
        for cue in claim.challenge.cues
    )
    score = float(part.signal is Status.PASS)
    signals = tuple(
        Signal(name=name, raw=None, score=score, status=part.signal) for name in sorted(SIGNALS - {MORE_CUES})
    )
    convincing = Evidence(
        contract=policy.contract,
        similarity=1.0,
        least_similarity=1.0,
        compared_frames=policy.compared_frames,
        liveness=LivenessReport(
            repertoire=claim.challenge.repertoire,
            cues=cues,
            complete=part.cue is CueOutcome.ANSWERED,
            signals=signals,
            light=None,
            trust=trust(signals, cues, policy.liveness.fusion.weights),
            frames=0,
            capture=SIMULATED,
        ),
        no_face_share=0.0,
        several_faces_share=0.0,
        eye_distance_px=FAR,
        brightness=1.0,
        sharpness=FAR,
        interrupted=False,
    )
    return part.changes(convincing)


def _answer(view: InviteView, *, agreed: bool) -> ConsentGiven:
    return ConsentGiven(
        agreed=agreed,
        consent_version=view.consent.version,
        consent_sha256=view.consent_sha256["zh"],
        intent_sha256=view.intent_sha256,
        language="zh",
    )
