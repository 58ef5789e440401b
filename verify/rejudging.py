"""A candidate policy over what past sessions measured: what would it have decided? Counts only, and nothing is written.

Evidence holds every measure with its raw value, so that other lines, weights and thresholds can be drawn through it.
What a policy says about *how* is measured (when a cue counts as answered, from which views a signal is taken, how the
light is read, how far back signs of fraud look) shaped the evidence itself: a candidate that differs in that cannot be
judged from it. Nor can a decision that the policy of then does not come to again.

A session is judged by itself: whether somebody would have come back for another attempt is not known.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_type_hints

import msgspec

from liveness.assessment import MORE_CUES, trust
from liveness.report import LivenessReport
from liveness.signals import graded
from liveness.thresholds import Line, LivenessThresholds, SignalThresholds
from verify.audit import AuditChainBrokenError
from verify.casefile import CaseFile, SessionState
from verify.decision import decide
from verify.errors import CaseDamaged, NotFound
from verify.evidence import Evidence, read_evidence
from verify.fraud import FraudEvidence, fraud_signs, with_fraud
from verify.fraud_policy import FraudRule
from verify.jose import SealingKey
from verify.policy import Policy
from verify.scores import Scores, Unsealed, unsealed
from verify.store import Store
from verify.vault import Vault

NotReplayed = Literal[
    "erased",
    "changed",
    "sealed_for_another",
    "not_kept",
    "test_mode",
    "unreadable",
    "other_contract",
    "policy_unknown",
    "measured_otherwise",
    "not_reproduced",
]
"""Why a session could not be judged anew; docs/policies.md says what each means."""

JUDGED_BY_LIGHT = frozenset({"light", "texture"})
"""Lines that also steer the script: whoever does not answer the light is asked for more cues."""

Progress = Callable[[int], None]
"""Told how many cases were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a session was or would be decided."""

    outcome: str
    """`Accepted`, `Retry`, `Rejected` or `Referred`."""
    reason: str | None
    signal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """One kind of change: sessions of cases with this action, decided so before and so by the candidate."""

    action: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a candidate would have done, in counts."""

    cases: int
    damaged: int
    """Cases that were left out because record or chain does not hold."""
    rejudged: Mapping[Rejudged, int] = field(default_factory=dict)
    not_replayed: Mapping[NotReplayed, int] = field(default_factory=dict)

    @property
    def sessions(self) -> int:
        """Sessions that were judged anew."""
        return sum(self.rejudged.values())

    @property
    def changed(self) -> int:
        """Of them, those with another outcome."""
        return sum(count for each, count in self.rejudged.items() if each.before.outcome != each.after.outcome)


async def replay(
    store: Store,
    vault: Vault,
    *,
    key: SealingKey,
    candidate: Policy,
    known: Mapping[str, Policy],
    since: float = 0.0,
    progress: Progress = lambda _: None,
) -> Replay:
    """Judge all sessions that ended from a time on (Unix seconds) anew.

    Args:
        store: with the cases; nothing is written to it.
        vault: opens the outer seal.
        key: the auditor's private one.
        candidate: the policy to try.
        known: the policies by which sessions were judged, by version.
        since: 0 for all.
        progress: told of every case.

    Raises:
        StoreUnavailable: the store does not answer. Unavailable: `key_damaged`.
    """
    cases, damaged = 0, 0
    rejudged, not_replayed = Counter[Rejudged](), Counter[NotReplayed]()
    async for case_id in store.ledger.cases():
        cases += 1
        progress(cases)
        try:
            file, _ = await store.load(case_id)
            found = [each async for each in unsealed(store, vault, case_id, key=key, since=since)]
        except NotFound:
            continue
        except (CaseDamaged, AuditChainBrokenError, KeyError, ValueError):
            damaged += 1
            continue
        not_replayed["not_kept"] += _undecided(file, since)
        for each in found:
            verdict = _rejudged(file, each, candidate=candidate, known=known)
            if isinstance(verdict, Rejudged):
                rejudged[verdict] += 1
            else:
                not_replayed[verdict] += 1
    return Replay(cases=cases, damaged=damaged, rejudged=rejudged, not_replayed=+not_replayed)


def rejudge(scores: Scores, *, candidate: Policy, known: Mapping[str, Policy]) -> tuple[Verdict, Verdict] | NotReplayed:
    """The verdict of then and the candidate's. Pure."""
    try:
        evidence, fraud = read_evidence(scores.evidence), msgspec.convert(scores.fraud, FraudEvidence)
    except msgspec.ValidationError:
        return "unreadable"
    judge = known.get(scores.policy)
    if judge is None or evidence.contract != candidate.contract:
        return "policy_unknown" if evidence.contract == candidate.contract else "other_contract"
    before = Verdict(outcome=scores.decision, reason=scores.reason, signal=scores.signal)
    if _verdict(evidence, fraud, judge) != before:
        return "not_reproduced"
    seen = _as_seen_by(candidate, evidence, judge)
    return (before, _verdict(seen, fraud, candidate)) if isinstance(seen, Evidence) else seen


def how_measured(policy: Policy) -> tuple[object, ...]:
    """What of a policy shaped the evidence, and not only what was made of it."""
    lines, fraud = policy.liveness.signals, policy.fraud
    measuring = (getattr(lines, each.name) for each in fields(lines) if each.name not in JUDGING)
    windows = (value for each in fields(fraud) if not isinstance(value := getattr(fraud, each.name), FraudRule))
    return (policy.contract, policy.liveness.cues, *measuring, *windows)


JUDGING = frozenset(
    name for name, kind in get_type_hints(SignalThresholds).items() if kind is Line and name not in JUDGED_BY_LIGHT
)
"""Lines through a signal's raw value that nothing else depends on."""


def _rejudged(
    file: CaseFile, found: Unsealed, *, candidate: Policy, known: Mapping[str, Policy]
) -> Rejudged | NotReplayed:
    if file.case.mode == "test":
        return "test_mode"
    if found.outcome != "unsealed":
        return found.outcome
    if found.scores is None:
        return "unreadable"
    verdicts = rejudge(found.scores, candidate=candidate, known=known)
    if isinstance(verdicts, str):
        return verdicts
    return Rejudged(action=file.case.action, before=verdicts[0], after=verdicts[1])


def _verdict(evidence: Evidence, fraud: FraudEvidence, policy: Policy) -> Verdict:
    """As `verify.sessions` decides, and as `verify.scores` tells of it."""
    decision = with_fraud(decide(evidence, policy), fraud_signs(fraud, policy.fraud))
    reason = getattr(decision, "reason", None)
    return Verdict(
        outcome=type(decision).__name__,
        reason=None if reason is None else str(reason),
        signal=getattr(decision, "signal", None),
    )


def _as_seen_by(candidate: Policy, evidence: Evidence, judge: Policy) -> Evidence | NotReplayed:
    """The evidence with the candidate's lines drawn through it, where they are not those of then."""
    if how_measured(judge) != how_measured(candidate):
        return "measured_otherwise"
    before, after = judge.liveness, candidate.liveness
    if (before.signals, before.fusion.weights) == (after.signals, after.fusion.weights):
        return evidence
    if not set(after.fusion.weights) - {MORE_CUES} <= {signal.name for signal in evidence.liveness.signals}:
        return "unreadable"
    return replace(evidence, liveness=_regraded(evidence.liveness, before, after))


def _regraded(report: LivenessReport, before: LivenessThresholds, after: LivenessThresholds) -> LivenessReport:
    """The same raw values against other lines, and the trust that follows. Signals whose line stayed stay too."""
    moved = {name for name in JUDGING if getattr(before.signals, name) != getattr(after.signals, name)}
    signals = tuple(
        graded(each.name, each.raw, getattr(after.signals, each.name)) if each.name in moved else each
        for each in report.signals
    )
    return replace(report, signals=signals, trust=trust(signals, report.cues, after.fusion.weights))


def _undecided(file: CaseFile, since: float) -> int:
    """Sessions that began and were never decided, as when a process died: nothing was kept of them."""
    if file.case.mode == "test":
        return 0
    return sum(each.state is SessionState.CLAIMED and each.opened_at >= since for each in file.sessions.values())
