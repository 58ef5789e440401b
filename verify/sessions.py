"""Sessions: one live attempt each. Claiming burns the challenge before any model runs; finishing decides."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from re import fullmatch
from typing import Literal, TypeVar

from liveness.challenge import EVERYTHING, Accommodation, Challenge, draw_challenge
from models.embedding import Embedding
from verify import scores
from verify.asking_again import require_comparable
from verify.audit import Detail, Event
from verify.casefile import (
    CaseFile,
    Invite,
    InviteState,
    Mode,
    ReferenceState,
    Session,
    SessionState,
    Subject,
    Verification,
    VerificationState,
)
from verify.cases import check_open, known_case
from verify.decision import Accepted, Decision, Rejected, decide, public_outcome
from verify.deputies import appointed_until, appointments_of, check_appointed, held_among
from verify.errors import Conflict, Gone, Invalid, NotFound, Refused, StoreUnavailable
from verify.evidence import Evidence
from verify.fraud import NO_TRACES, FraudEvidence, FraudSign, Traces, fraud_signs, with_fraud
from verify.fraud_memory import FraudMemory
from verify.fraud_window import Recollection
from verify.identifiers import Entropy, hash_secret, new_part, new_secret, parse_code, part_of, secret_matches
from verify.jose import SealingKey
from verify.patience import Patience
from verify.policy import Policy
from verify.progress import is_over
from verify.reference_contract import check_comparable, comparable_again
from verify.references import blob_name, reference_binding
from verify.standing import is_verified
from verify.store import Beside, Change, LateError, Seen, Store, nothing
from verify.tally import Tally
from verify.vault import Vault

T = TypeVar("T")

CLAIM_SECONDS = 180.0
SESSION_SECONDS = 600.0
VERIFICATION_SECONDS = 20 * 86400.0

DEVICE_NAME = r"[A-Za-z0-9_-]{22,64}"
"""At least 128 bits in base64url."""

SIMULATED = "simulated"
"""`capture` of attempts in test mode that had no camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A session to be claimed. `secret` is shown this once."""

    session_id: str
    secret: str
    expires_at: datetime
    """Until when it must be claimed."""
    attempts_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A session that runs now: its challenge, and the template that the person is compared with."""

    session_id: str
    case_id: str
    subject_id: str
    challenge: Challenge
    reference: Embedding


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """How a session stands: what may leave the system."""

    state: SessionState | Literal["expired"]
    outcome: str | None
    reason: str | None
    attempts_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSession:
    """How a session ended: what may leave the system."""

    outcome: str
    reason: str | None
    attempts_left: int
    signs: tuple[FraudSign, ...] = ()
    """For the operator's metrics; they never leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """Who has made an attempt, for the counters. `at`: Unix seconds at which it was decided."""

    mode: Mode
    person: str
    device: str | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Opens, claims and finishes sessions. `rng` draws challenges: `random.SystemRandom()` in service."""

    store: Store
    vault: Vault
    entropy: Entropy
    rng: Random
    policy: Policy
    auditor: SealingKey
    """For whose eyes alone the scores are."""
    patience: Patience

    async def open(self, grant: str, *, device: str | None = None) -> OpenedSession:
        """Open a session; this takes one of the link's attempts. `device`: what the phone's page calls itself.

        Raises:
            Refused: `grant_invalid`. Gone: `attempts_exhausted`. Conflict: `case_not_open`, `already_verified`,
            `reference_contract_mismatch` if other models have made the template; none of the attempts was taken.
            Limited: `attempts_too_fast`; none of the link's attempts was taken. Invalid: `device_invalid`.
        """
        parsed = parse_code(grant)
        if parsed is None:
            raise _grant_invalid()
        case_id, invite_id, secret = parsed
        session_id, session_secret = f"ses_{part_of(case_id)}_{new_part(self.entropy)}", new_secret(self.entropy)
        epoch = await self.store.epoch()
        hashed = None if device is None else device_hash(device)
        await self._wait_for_turn(case_id, invite_id, secret, epoch=epoch, device=hashed)

        def transition(file: CaseFile, now: float) -> Change[OpenedSession]:
            invite = _granted_invite(file, invite_id, secret, now=now, epoch=epoch)
            subject = file.subjects[invite.subject_id]
            check_comparable(subject, expected_contract=self.policy.contract)
            session = Session(
                id=session_id,
                invite_id=invite_id,
                subject_id=invite.subject_id,
                secret_hash=hash_secret(session_secret),
                state=SessionState.OPEN,
                opened_at=now,
                claim_until=now + CLAIM_SECONDS,
                expires_at=now + SESSION_SECONDS,
                device=hashed,
            )
            used = replace(invite, attempts_left=invite.attempts_left - 1)
            opened = OpenedSession(
                session_id=session_id,
                secret=session_secret,
                expires_at=datetime.fromtimestamp(session.claim_until, UTC),
                attempts_left=used.attempts_left,
            )
            event = Event(name="session.opened", actor=f"subject:{invite.subject_id}", details={"session": session_id})
            return Change(after=file.with_(used, session, comparable_again(subject)), event=event, value=opened)

        try:
            return await self.store.transact(case_id, transition)
        except NotFound:
            raise _grant_invalid() from None

    async def _wait_for_turn(
        self, case_id: str, invite_id: str, secret: str, *, epoch: int, device: str | None
    ) -> None:
        """Count an attempt of whoever holds a good grant, unless it comes too soon. Test mode repeats at will."""
        try:
            file, now = await self.store.load(case_id)
        except NotFound:
            raise _grant_invalid() from None
        invite = _granted_invite(file, invite_id, secret, now=now, epoch=epoch)
        await require_comparable(self.store, file, invite.subject_id, expected_contract=self.policy.contract)
        if file.case.mode == "test":
            return
        if device is not None:
            await self.patience.check_device(device, now=now)
        await self.patience.begin(file.subjects[invite.subject_id].person, now=now)

    async def _remember(self, attempted: Attempted, decision: Decision, signs: tuple[FraudSign, ...]) -> None:
        """Tell the counters how an attempt ended. The outcome stands even if they cannot be told.

        Test mode simulates people who may be real in live mode, under the same hash: it neither delays nor clears them.
        """
        with suppress(StoreUnavailable):
            if attempted.mode == "live":
                await self._learn(attempted, decision)
            await Tally(self.store).count(attempted.mode, decision, signs, now=attempted.at)

    async def _learn(self, attempted: Attempted, decision: Decision) -> None:
        """Forget the delays of whoever was accepted; count a rejection on its device."""
        if isinstance(decision, Accepted):
            await self.patience.accepted(attempted.person)
        elif isinstance(decision, Rejected) and attempted.device is not None:
            await self.patience.rejected(attempted.device, now=attempted.at)

    async def claim(self, session_id: str, secret: str, accommodation: Accommodation = EVERYTHING) -> Claim:
        """Draw the challenge and burn it: a session runs once.

        Raises:
            NotFound: `session_unknown`. Refused: `session_secret_invalid`. Conflict: `session_already_claimed`,
            `case_not_open`, `reference_contract_mismatch` (the challenge is not burnt). Gone: `session_expired`,
            `invite_revoked`, `reference_gone`.
        """
        challenge = draw_challenge(self.rng, accommodation)

        def transition(seen: Seen) -> Change[tuple[CaseFile, Subject]]:
            file = seen.file
            session, subject = self._claimable(file, seen.now, session_id, secret)
            claimed = replace(
                session,
                state=SessionState.CLAIMED,
                challenge_id=challenge.id,
                cues=tuple(cue.value for cue in challenge.cues),
            )
            details = {
                "session": session_id,
                "challenge": challenge.id,
                "motions": accommodation.repertoire.value,
                "light": "asked" if accommodation.light else "left_out",
            }
            event = Event(name="session.claimed", actor=f"subject:{subject.id}", details=details)
            after = file.with_(claimed)
            return Change(after=after, event=event, value=(after, subject), not_after=session.claim_until)

        file, subject = await self._decide(session_id, transition)
        reference = await self._reference(file, subject)
        return Claim(
            session_id=session_id,
            case_id=file.case.id,
            subject_id=subject.id,
            challenge=challenge,
            reference=reference,
        )

    async def check_claimable(self, session_id: str, secret: str) -> None:
        """Raise what `claim` would of the session's state, and change nothing."""
        self._claimable(*await self._load(session_id), session_id, secret)

    def _claimable(self, file: CaseFile, now: float, session_id: str, secret: str) -> tuple[Session, Subject]:
        """A session that may be claimed, and whose it is. Raises as `claim`."""
        session = _known_session(file, session_id, secret)
        check_open(file.case, now)
        _check_claimable(session, now)
        _check_link(file, session)
        subject = file.subjects[session.subject_id]
        check_comparable(subject, expected_contract=self.policy.contract)
        return session, subject

    async def recall(self, claim: Claim) -> Recollection:
        """Read what a session will be compared with while it still runs, so that nobody waits for it at the end.

        Raises:
            Unavailable: the store, or a key. NotFound: `case_unknown`.
        """
        file, now = await self.store.load(claim.case_id)
        return await self._memory.window.recall(file, file.subjects[claim.subject_id], now=now)

    async def finish(
        self,
        claim: Claim,
        evidence: Evidence,
        traces: Traces = NO_TRACES,
        *,
        recalled: Recollection | None = None,
    ) -> FinishedSession:
        """Decide on the evidence and record the outcome; an accepted one becomes a verification in the same step.

        `traces`: for the comparison with other sessions, which a simulated one is spared. `recalled`: what `recall`
        gave before; it makes no difference but to the time that this takes.

        Raises:
            Conflict: `session_not_claimed`, `case_not_open`, `already_verified`. Gone: `session_expired`,
            `invite_revoked`. Refused: `deputy_not_appointed`, `test_mode_only` for simulated evidence in a live case.
            StoreUnavailable: nothing was accepted.
        """
        fraud = await self._fraud(claim, evidence, traces, recalled)
        signs = fraud_signs(fraud, self.policy.fraud)
        decision = with_fraud(decide(evidence, self.policy), signs)
        outcome, reason = public_outcome(decision)
        verification_id = f"ver_{new_part(self.entropy)}"
        sealed = self._sealed_scores(claim, decision, evidence, fraud)

        def transition(seen: Seen) -> Change[tuple[FinishedSession, Attempted]]:
            file, now, epoch = seen.file, seen.now, seen.epoch
            session = file.sessions[claim.session_id]
            subject = file.subjects[session.subject_id]
            check_open(file.case, now)
            _check_finishable(session, claim, now)
            _check_link(file, session)
            _check_reference(subject)
            check_appointed(subject, held_among(seen), now=now)
            _check_capture(file, evidence)
            if is_verified(file, session.subject_id, now=now, epoch=epoch):
                raise Conflict("already_verified", "this person has verified for the case already")
            finished = replace(session, state=SessionState.FINISHED, outcome=outcome, reason=reason)
            after = file.with_(finished)
            if isinstance(decision, Accepted):
                accepted = self._verification(file, session, verification_id, now, epoch)
                after = after.with_(replace(accepted, capture=evidence.liveness.capture))
            details: dict[str, Detail] = {
                "session": session.id,
                "outcome": outcome,
                "policy": self.policy.version,
                "capture": evidence.liveness.capture,
                scores.DETAIL: scores.text_hash(sealed),
            }
            if signs:
                details["fraud"] = tuple(sign.code for sign in signs)
            ended = FinishedSession(
                outcome=outcome,
                reason=reason,
                attempts_left=after.invites[session.invite_id].attempts_left,
                signs=signs,
            )
            return Change(
                after=after,
                event=Event(name="session.finished", actor="service", details=details),
                value=(ended, Attempted(mode=file.case.mode, person=subject.person, device=session.device, at=now)),
                blobs={scores.blob_name(session.id): self._kept_scores(file, session, sealed)},
                not_after=session.expires_at,
            )

        finished, attempted = await self._decide(claim.session_id, transition, beside=appointments_of, durable=True)
        await self._remember(attempted, decision, signs)
        return finished

    async def _fraud(
        self, claim: Claim, evidence: Evidence, traces: Traces, recalled: Recollection | None
    ) -> FraudEvidence:
        """Measured whatever the evidence says: the time that it takes tells nothing."""
        if evidence.liveness.capture == SIMULATED:
            return FraudEvidence()
        file, now = await self.store.load(claim.case_id)
        subject = file.subjects[claim.subject_id]
        return await self._memory.measure(file, subject, claim.session_id, traces, now=now, recalled=recalled)

    @property
    def _memory(self) -> FraudMemory:
        return FraudMemory(store=self.store, vault=self.vault, policy=self.policy.fraud)

    async def get(self, session_id: str, secret: str) -> SessionResult:
        """How a session stands. Raises NotFound `session_unknown`, Refused `session_secret_invalid`."""
        file, now = await self._load(session_id)
        session = _known_session(file, session_id, secret)
        result = _result(file, session)
        return replace(result, state="expired") if is_over(session, now) else result

    async def _load(self, session_id: str) -> tuple[CaseFile, float]:
        """The file of a session's case, and the store's time."""
        try:
            return await self.store.load(known_case(session_id))
        except NotFound:
            raise _session_unknown() from None

    async def _decide(
        self,
        session_id: str,
        decision: Callable[[Seen], Change[T]],
        *,
        beside: Beside = nothing,
        durable: bool = False,
    ) -> T:
        """A decision whose time limit is the session's, and whose case is told apart by the session's id."""
        try:
            return await self.store.decide(known_case(session_id), decision, beside=beside, durable=durable)
        except NotFound:
            raise _session_unknown() from None
        except LateError:
            raise _expired() from None

    async def _reference(self, file: CaseFile, subject: Subject) -> Embedding:
        """The subject's template, decrypted."""
        contract = subject.reference_contract
        sealed = await self.store.blob(file.case.id, blob_name(subject))
        _check_reference(subject)
        if contract is None or sealed is None:
            raise _reference_gone()
        content = self.vault.open(
            sealed,
            case_id=file.case.id,
            wrapped_key=file.case.wrapped_key,
            bound_to=reference_binding(subject, contract),
        )
        return Embedding.from_bytes(content, contract=contract)

    def _verification(
        self, file: CaseFile, session: Session, verification_id: str, now: float, epoch: int
    ) -> Verification:
        subject, case = file.subjects[session.subject_id], file.case
        consent = file.invites[session.invite_id].consent
        if consent is None:
            raise Refused("consent_required", "consent and intent must be confirmed before the camera opens")
        return Verification(
            id=verification_id,
            subject_id=subject.id,
            role=subject.role,
            action=case.action,
            roster_version=case.roster_version,
            document_sha256=case.document_sha256,
            intent_sha256=consent.intent_sha256,
            provenance=subject.provenance,
            method="remote",
            capture="unattested",
            policy=self.policy.version,
            session_id=session.id,
            verified_at=now,
            valid_until=min(now + VERIFICATION_SECONDS, appointed_until(subject)),
            epoch=epoch,
            state=VerificationState.ACTIVE,
        )

    def _sealed_scores(self, claim: Claim, decision: Decision, evidence: Evidence, fraud: FraudEvidence) -> str:
        """Scores never leave but sealed, for the auditor."""
        return scores.seal_scores(
            decision,
            evidence,
            fraud=fraud,
            case_id=claim.case_id,
            session_id=claim.session_id,
            subject_id=claim.subject_id,
            policy=self.policy.version,
            key=self.auditor,
        )

    def _kept_scores(self, file: CaseFile, session: Session, sealed: str) -> bytes:
        """Under the case's key as well, so that they can be erased with the person."""
        return self.vault.seal(
            sealed.encode(),
            case_id=file.case.id,
            wrapped_key=file.case.wrapped_key,
            bound_to=scores.binding(session.subject_id, session.id),
        )


def device_hash(name: str) -> str:
    """What is kept of the name that a phone's page has drawn for itself. Raises Invalid `device_invalid`."""
    if not fullmatch(DEVICE_NAME, name):
        raise Invalid(
            "device_invalid", "a device calls itself by 22 to 64 letters, digits, - or _ that it drew at random"
        )
    return sha256(name.encode()).hexdigest()


def _granted_invite(file: CaseFile, invite_id: str, secret: str, *, now: float, epoch: int) -> Invite:
    invite = file.invites.get(invite_id)
    if not secret_matches(secret, invite.grant_hash if invite else None) or invite is None:
        raise _grant_invalid()
    check_open(file.case, now)
    if invite.state is not InviteState.EXCHANGED or invite.grant_expires_at is None or now >= invite.grant_expires_at:
        raise _grant_invalid()
    if is_verified(file, invite.subject_id, now=now, epoch=epoch):
        raise Conflict("already_verified", "this person has verified for the case already")
    if invite.attempts_left < 1:
        raise Gone("attempts_exhausted", "all attempts of this link were used: ask for a new link, or use the window")
    return invite


def _known_session(file: CaseFile, session_id: str, secret: str) -> Session:
    session = file.sessions.get(session_id)
    if session is None:
        raise _session_unknown()
    if not secret_matches(secret, session.secret_hash):
        raise Refused("session_secret_invalid", "the session secret is wrong")
    return session


def _check_claimable(session: Session, now: float) -> None:
    if session.state is not SessionState.OPEN:
        raise Conflict("session_already_claimed", "a session runs once: open a new one")
    if now >= session.claim_until:
        raise _expired()


def _check_finishable(session: Session, claim: Claim, now: float) -> None:
    if session.state is not SessionState.CLAIMED or session.challenge_id != claim.challenge.id:
        raise Conflict("session_not_claimed", "the session does not run, or ran with another challenge")
    if now >= session.expires_at:
        raise _expired()


def _check_link(file: CaseFile, session: Session) -> None:
    """A link is revoked by a newer one, and by any change of what its person has confirmed."""
    if file.invites[session.invite_id].state is not InviteState.EXCHANGED:
        raise Gone("invite_revoked", "the link of this session was revoked: ask for a new one")


def _check_capture(file: CaseFile, evidence: Evidence) -> None:
    if evidence.liveness.capture == SIMULATED and file.case.mode != "test":
        raise Refused("test_mode_only", "a simulated attempt counts in test mode only")


def _check_reference(subject: Subject) -> None:
    """Whoever was erased while a session ran is verified no more. Raises Gone `reference_gone`."""
    if subject.reference_state is not ReferenceState.TEMPLATE:
        raise _reference_gone()


def _reference_gone() -> Gone:
    return Gone("reference_gone", "there is no template to compare with: the client must send another ID photo")


def _result(file: CaseFile, session: Session) -> SessionResult:
    return SessionResult(
        state=session.state,
        outcome=session.outcome,
        reason=session.reason,
        attempts_left=file.invites[session.invite_id].attempts_left,
    )


def _session_unknown() -> NotFound:
    return NotFound("session_unknown", "there is no such session: open one with the capture grant")


def _grant_invalid() -> Refused:
    return Refused("grant_invalid", "the capture grant is not valid or has expired: ask for a new link")


def _expired() -> Gone:
    return Gone("session_expired", "the session's time is over: open a new one")
