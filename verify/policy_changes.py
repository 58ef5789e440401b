"""Which policy is in force. A change takes two operators; what they did is told by the operators' audit chain alone.

There is no record beside the chain that could say otherwise: the policy in force is what remains when its entries are
read in order. An approval is appended only to the chain that it was decided on, so that of two at once one is decided
anew. A chain that tells of an approval which the rules forbid puts nothing in force: it stops the start.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import sha256
from typing import Literal

import msgspec

from verify.approvals import actor, check_other, operator_of, said
from verify.audit import AuditEntry, Event
from verify.errors import Conflict, NotFound
from verify.operators import OPERATORS_CHAIN, Operator, Operators
from verify.policy import (
    Policy,
    PolicyError,
    load_policy,
    named_or_default,
    names,
    parse_policy,
    require_contract,
    shipped_text,
)
from verify.policy_check import checked_policy, read_policy
from verify.store import Store

PROPOSED = "policy.proposed"
APPROVED = "policy.approved"
WITHDRAWN = "policy.withdrawn"

MODE = "live"
"""Under which the entries can be searched for, like everything that operators do."""

State = Literal["pending", "in_force", "replaced", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A policy that an operator has proposed, and what became of it. Times are Unix seconds by the store's clock."""

    digest: str
    """SHA-256 (hexadecimal) of `content`."""
    content: str
    """The proposed file."""
    version: str
    thresholds: str
    """`thresholds_hash` when it was proposed: covers what the file extends, and its calibration."""
    proposed_by: str
    """The operator's id."""
    proposed_at: float
    state: State = "pending"
    decided_by: str | None = None
    """Who approved it, or withdrew it."""
    decided_at: float | None = None

    @property
    def was_approved(self) -> bool:
        """Whether it is or was in force."""
        return self.state in {"in_force", "replaced"}


@dataclass(frozen=True, slots=True)
class History:
    """All proposals, oldest first. At most one is in force."""

    proposals: tuple[Proposal, ...] = ()

    @property
    def in_force(self) -> Proposal | None:
        """The approved one; None if none ever was: then a shipped one is."""
        return next((each for each in self.proposals if each.state == "in_force"), None)

    def newest(self, digest: str) -> Proposal | None:
        """The newest proposal of a file."""
        return next((each for each in reversed(self.proposals) if each.digest == digest), None)


@dataclass(frozen=True, slots=True)
class PolicyChanges:
    """Proposes, approves and withdraws policies; tells which is in force."""

    store: Store
    operators: Operators

    async def history(self) -> History:
        """All that was proposed. Raises PolicyError `policy_history_invalid`, AuditChainBrokenError."""
        entries, _ = await self.store.verified_chain(OPERATORS_CHAIN)
        return history_of(entries)

    async def in_force(self, *, named: str | None, contract: str) -> Policy:
        """The policy to start with: the approved one; without any the shipped one that is named, or the default.

        `named`: the policy that the environment names, None if it names none. `contract`: of the models in use, for
        which a default is looked for.

        Raises:
            PolicyError: `policy_conflict` if another one is named than was approved; `policy_changed` if the approved
                one would not judge as it did when it was approved; `policy_history_invalid`; `policy_unknown`,
                `policy_missing`, `policy_invalid`. AuditChainBrokenError.
        """
        approved = (await self.history()).in_force
        if approved is None:
            return named_or_default(named, contract=contract)
        if named not in {None, approved.version}:
            message = (
                f"HEYAN_POLICY names {named!r}, and two operators have put {approved.version!r} in force: unset it"
            )
            raise PolicyError("policy_conflict", f"{message}, or propose {named!r} by heyan policy propose")
        return policy_of(approved)

    async def propose(self, operator: Operator, content: bytes, *, expected_contract: str) -> Proposal:
        """Propose a file for all to see; it judges nobody yet.

        Raises:
            PolicyError: `policy_invalid`; `policy_contract_mismatch`; `policy_version_taken` if its version already
                names other thresholds. Conflict: `policy_already_proposed`, `policy_already_in_force`.
        """
        text = read_policy(content)
        policy = require_contract(checked_policy(text), expected_contract)
        digest, thresholds = file_digest(content), thresholds_hash(policy)

        def decide(history: History) -> Event:
            _check_free(history, digest, policy.version, thresholds)
            _check_shipped(policy.version, thresholds)
            details = {"digest": digest, "version": policy.version, "thresholds": thresholds, "content": text}
            return Event(name=PROPOSED, actor=actor(operator), details=details)

        return await self._appended(digest, decide)

    async def approve(self, operator: Operator, digest: str, *, expected_contract: str) -> Proposal:
        """Put a proposal in force from the next start on. `digest`: of what the operator has seen, in full.

        Raises:
            NotFound: `proposal_unknown`. Conflict: `proposal_decided`. Refused: `proposal_own`, `proposal_orphaned`.
            PolicyError: `policy_changed`, `policy_contract_mismatch`.
        """
        known = {each.id: each for each in await self.operators.list()}

        def decide(history: History) -> Event:
            proposal = _pending(history, digest)
            check_other(operator, proposed_by=proposal.proposed_by, known=known)
            require_contract(policy_of(proposal), expected_contract)
            return Event(name=APPROVED, actor=actor(operator), details=_named(proposal))

        return await self._appended(digest, decide)

    async def withdraw(self, operator: Operator, digest: str) -> Proposal:
        """Take a pending proposal off the table; every operator may.

        Raises:
            NotFound: `proposal_unknown`. Conflict: `proposal_decided`.
        """

        def decide(history: History) -> Event:
            return Event(name=WITHDRAWN, actor=actor(operator), details=_named(_pending(history, digest)))

        return await self._appended(digest, decide)

    async def _appended(self, digest: str, decide: Callable[[History], Event]) -> Proposal:
        await self.store.append_decided(OPERATORS_CHAIN, lambda entries: decide(history_of(entries)), mode=MODE)
        proposal = (await self.history()).newest(digest)
        if proposal is None:
            raise PolicyError("policy_history_invalid", "what was written is not there: run heyan audit verify")
        return proposal


def file_digest(content: bytes) -> str:
    """SHA-256 (hexadecimal) of a policy's file: what an approval names."""
    return sha256(content).hexdigest()


def thresholds_hash(policy: Policy) -> str:
    """SHA-256 (hexadecimal) over all that a policy judges by, whichever files it came from."""
    return sha256(msgspec.json.encode(policy, order="sorted")).hexdigest()


def policy_of(proposal: Proposal) -> Policy:
    """The policy of a proposal, if it still judges as when it was proposed.

    Raises:
        PolicyError: `policy_changed`.
    """
    try:
        policy = parse_policy(proposal.content)
    except PolicyError as error:
        raise _changed(proposal, f"it cannot be read any more ({error})") from None
    if thresholds_hash(policy) != proposal.thresholds:
        raise _changed(proposal, "what it extends, or its calibration, has other thresholds than then")
    _check_shipped(policy.version, proposal.thresholds)
    return policy


def named_text(history: History, name: str) -> str:
    """The file of a policy, shipped or proposed, by version or digest; of several of one version the newest.

    Raises:
        PolicyError: `policy_unknown`.
    """
    if name in names():
        return shipped_text(name)
    found = [each for each in history.proposals if name in {each.digest, each.version}]
    if not found:
        message = f"no policy is named {name!r}, shipped or proposed: heyan policy list shows all"
        raise PolicyError("policy_unknown", message)
    return found[-1].content


def policies_known(history: History) -> Mapping[str, Policy]:
    """Every policy by its version that may have judged somebody, as far as it can still be read."""
    known = {name: load_policy(name) for name in names()}
    for proposal in history.proposals:
        if proposal.was_approved and proposal.version not in known:
            try:
                known[proposal.version] = policy_of(proposal)
            except PolicyError:
                continue
    return known


def history_of(entries: Iterable[AuditEntry]) -> History:
    """What the operators' chain tells of policies.

    Raises:
        PolicyError: `policy_history_invalid`: an entry does what the rules forbid, such as an approval by whoever
            proposed.
    """
    told = (entry for entry in entries if entry.event in _STEPS)
    return reduce(lambda history, entry: _STEPS[entry.event](history, entry), told, History())


def _proposed(history: History, entry: AuditEntry) -> History:
    made = Proposal(
        digest=_said(entry, "digest"),
        content=_said(entry, "content"),
        version=_said(entry, "version"),
        thresholds=_said(entry, "thresholds"),
        proposed_by=_operator(entry),
        proposed_at=entry.at,
    )
    before = history.newest(made.digest)
    if file_digest(made.content.encode()) != made.digest:
        raise _forbidden(entry, "its content is not what its digest names")
    if before is not None and before.state in {"pending", "in_force"}:
        raise _forbidden(entry, "this file had been proposed already")
    return History((*history.proposals, made))


def _approved(history: History, entry: AuditEntry) -> History:
    proposal = _told(history, entry)
    if proposal.proposed_by == _operator(entry):
        raise _forbidden(entry, "whoever proposed a policy has approved it")
    approved = [each for each in history.proposals if each.was_approved and each.version == proposal.version]
    if any(each.thresholds != proposal.thresholds for each in approved):
        raise _forbidden(entry, "its version names other thresholds already")
    replaced = tuple(
        replace(each, state="replaced") if each.state == "in_force" else each for each in history.proposals
    )
    return _decided(History(replaced), proposal, entry, "in_force")


def _withdrawn(history: History, entry: AuditEntry) -> History:
    return _decided(history, _told(history, entry), entry, "withdrawn")


_STEPS: Mapping[str, Callable[[History, AuditEntry], History]] = {
    PROPOSED: _proposed,
    APPROVED: _approved,
    WITHDRAWN: _withdrawn,
}


def _told(history: History, entry: AuditEntry) -> Proposal:
    """The pending proposal that an entry decides on."""
    proposal = history.newest(_said(entry, "digest"))
    if proposal is None or proposal.state != "pending" or proposal.thresholds != _said(entry, "thresholds"):
        raise _forbidden(entry, "no such proposal was pending")
    return proposal


def _decided(history: History, proposal: Proposal, entry: AuditEntry, state: State) -> History:
    decided = replace(proposal, state=state, decided_by=_operator(entry), decided_at=entry.at)
    return History(tuple(decided if each is proposal else each for each in history.proposals))


def _said(entry: AuditEntry, name: str) -> str:
    value = said(entry, name)
    if value is None:
        raise _forbidden(entry, f"it has no {name}")
    return value


def _operator(entry: AuditEntry) -> str:
    operator = operator_of(entry)
    if operator is None:
        raise _forbidden(entry, "no operator did it")
    return operator


def _named(proposal: Proposal) -> dict[str, str]:
    return {"digest": proposal.digest, "version": proposal.version, "thresholds": proposal.thresholds}


def _pending(history: History, digest: str) -> Proposal:
    proposal = history.newest(digest)
    if proposal is None:
        message = f"no proposed file has the digest {digest!r}; heyan policy history shows them in full"
        raise NotFound("proposal_unknown", message)
    if proposal.state != "pending":
        raise Conflict(
            "proposal_decided", f"this proposal is {proposal.state.replace('_', ' ')}: propose the file anew"
        )
    return proposal


def _check_free(history: History, digest: str, version: str, thresholds: str) -> None:
    """A version names one set of thresholds for good: tokens, receipts and audit entries rely on it."""
    before = history.newest(digest)
    if before is not None and before.state == "in_force":
        raise Conflict("policy_already_in_force", f"this file is in force, as {version!r}")
    if before is not None and before.state == "pending":
        raise Conflict("policy_already_proposed", f"this file is proposed already: heyan policy approve {digest}")
    standing = [each for each in history.proposals if each.version == version and each.state != "withdrawn"]
    if any(each.thresholds != thresholds for each in standing):
        raise _taken(version)


def _check_shipped(version: str, thresholds: str) -> None:
    if version in names() and thresholds_hash(load_policy(version)) != thresholds:
        raise _taken(version)


def _taken(version: str) -> PolicyError:
    message = f"the version {version!r} already names other thresholds: give the policy another one"
    return PolicyError("policy_version_taken", message)


def _changed(proposal: Proposal, why: str) -> PolicyError:
    message = f"the policy {proposal.version!r} is not what was proposed: {why}; propose it under a new version"
    return PolicyError("policy_changed", message)


def _forbidden(entry: AuditEntry, why: str) -> PolicyError:
    message = f"entry {entry.seq} of the operators' chain ({entry.event}) is not as the rules have it: {why}"
    return PolicyError("policy_history_invalid", f"{message}; run heyan audit verify")
