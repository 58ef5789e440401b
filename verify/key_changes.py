"""Replacing a key that signs takes two operators, as a policy does; what they did is told by their audit chain.

A change is named by the key that it replaces (its `kid`), so that it can be done once. The chain is written first and
the ring of keys after it: whoever breaks off in between approves once more. If a key is not to be trusted any more, one
operator may replace it alone, with a reason, and the chain says so for good.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

from verify.approvals import actor, check_other, operator_of, said
from verify.audit import AuditEntry, Event
from verify.errors import Conflict, Invalid, NotFound, Unavailable
from verify.operators import OPERATORS_CHAIN, Operator, Operators
from verify.signing import PURPOSES, Purpose, RingFile
from verify.store import Store

PROPOSED = "key_change.proposed"
APPROVED = "key_change.approved"
WITHDRAWN = "key_change.withdrawn"
ALONE = "key_change.without_second_operator"

MODE = "live"
"""Under which the entries can be searched for, like everything that operators do."""
LONGEST_REASON = 500

State = Literal["pending", "approved", "withdrawn", "without_second_operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A key that is to be replaced, and what became of that. Times are Unix seconds by the store's clock."""

    kid: str
    """Of the key that is replaced."""
    purpose: Purpose
    at_once: bool
    """The new key signs at once, without being published before."""
    proposed_by: str
    """The operator's id."""
    proposed_at: float
    state: State = "pending"
    decided_by: str | None = None
    decided_at: float | None = None
    reason: str | None = None
    """Why there was no second operator."""


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """Proposes, approves and withdraws, and does what was approved."""

    store: Store
    operators: Operators
    rings: Mapping[Purpose, RingFile]

    async def history(self) -> tuple[KeyChange, ...]:
        """All changes, oldest first. Raises Unavailable `key_history_invalid`, AuditChainBrokenError."""
        entries, _ = await self.store.verified_chain(OPERATORS_CHAIN)
        return changes_of(entries)

    async def propose(self, operator: Operator, purpose: Purpose, *, at_once: bool) -> KeyChange:
        """Propose to replace the newest key of a purpose. Raises Conflict `key_change_already_proposed`."""
        kid = self._newest(purpose)

        def decide(changes: tuple[KeyChange, ...]) -> Event:
            found = _newest_of(changes, kid)
            if found is not None and found.state == "pending":
                message = f"it is proposed already to replace this key: heyan keys approve {kid}"
                raise Conflict("key_change_already_proposed", message)
            return Event(name=PROPOSED, actor=actor(operator), details=_details(kid, purpose, at_once=at_once))

        return await self._appended(kid, decide)

    async def approve(self, operator: Operator, kid: str, *, now: float) -> KeyChange:
        """Replace the key that another operator has proposed to. `now`: Unix seconds.

        Raises:
            NotFound: `proposal_unknown`. Conflict: `proposal_decided`. Refused: `proposal_own`, `proposal_orphaned`.
        """
        change = _known(await self.history(), kid)
        if change.state != "approved" or self._newest(change.purpose) != kid:
            known = {each.id: each for each in await self.operators.list()}

            def decide(changes: tuple[KeyChange, ...]) -> Event:
                pending = self._pending(changes, kid)
                check_other(operator, proposed_by=pending.proposed_by, known=known)
                details = _details(kid, pending.purpose, at_once=pending.at_once)
                return Event(name=APPROVED, actor=actor(operator), details=details)

            change = await self._appended(kid, decide)
        self.rings[change.purpose].rotate(now=now, at_once=change.at_once, replacing=kid)
        return change

    async def withdraw(self, operator: Operator, kid: str) -> KeyChange:
        """Take a change off the table; every operator may. Raises NotFound `proposal_unknown`, Conflict
        `proposal_decided`."""

        def decide(changes: tuple[KeyChange, ...]) -> Event:
            pending = _require_pending(_known(changes, kid))
            details = _details(kid, pending.purpose, at_once=pending.at_once)
            return Event(name=WITHDRAWN, actor=actor(operator), details=details)

        return await self._appended(kid, decide)

    async def replace_alone(self, operator: Operator, purpose: Purpose, *, reason: str, now: float) -> KeyChange:
        """Replace at once a key that is not to be trusted any more, without a second operator; the chain tells.

        Args:
            operator: who answers for it.
            purpose: whose newest key it is.
            reason: for the auditor, up to 500 characters; no names or numbers of people.
            now: Unix seconds.

        Raises:
            Invalid: `reason_invalid`.
        """
        given = reason.strip()
        if not 0 < len(given) <= LONGEST_REASON or not given.isprintable():
            message = f"say in one line of up to {LONGEST_REASON} characters why there is no second operator"
            raise Invalid("reason_invalid", message)
        kid = self._newest(purpose)
        details = {**_details(kid, purpose, at_once=True), "reason": given}
        change = await self._appended(kid, lambda _: Event(name=ALONE, actor=actor(operator), details=details))
        self.rings[purpose].rotate(now=now, at_once=True, replacing=kid)
        return change

    def _newest(self, purpose: Purpose) -> str:
        return self.rings[purpose].ring.keys[-1].public.kid

    def _pending(self, changes: tuple[KeyChange, ...], kid: str) -> KeyChange:
        pending = _require_pending(_known(changes, kid))
        if self._newest(pending.purpose) != kid:
            raise Conflict("proposal_decided", "this key was replaced since: withdraw it, and propose anew")
        return pending

    async def _appended(self, kid: str, decide: Callable[[tuple[KeyChange, ...]], Event]) -> KeyChange:
        await self.store.append_decided(OPERATORS_CHAIN, lambda entries: decide(changes_of(entries)), mode=MODE)
        return _known(await self.history(), kid)


def changes_of(entries: Iterable[AuditEntry]) -> tuple[KeyChange, ...]:
    """What the operators' chain tells of keys.

    Raises:
        Unavailable: `key_history_invalid`: an entry does what the rules forbid, such as an approval by whoever
            proposed.
    """
    told = (entry for entry in entries if entry.event in _STEPS)
    return reduce(lambda changes, entry: _STEPS[entry.event](changes, entry), told, ())


_Changes = tuple[KeyChange, ...]


def _proposed(changes: _Changes, entry: AuditEntry) -> _Changes:
    return (*changes, _begun(entry))


def _approved(changes: _Changes, entry: AuditEntry) -> _Changes:
    proposal = _told(changes, entry)
    if proposal.proposed_by == _operator(entry):
        raise _forbidden(entry, "whoever proposed it has approved it")
    return _decided(changes, proposal, entry, "approved")


def _withdrawn(changes: _Changes, entry: AuditEntry) -> _Changes:
    return _decided(changes, _told(changes, entry), entry, "withdrawn")


def _alone(changes: _Changes, entry: AuditEntry) -> _Changes:
    """What was pending about the same key has come to nothing by it."""
    begun = replace(_begun(entry), reason=_said(entry, "reason"))
    pending = _newest_of(changes, begun.kid)
    if pending is not None and pending.state == "pending":
        changes = _decided(changes, pending, entry, "withdrawn")
    return _decided((*changes, begun), begun, entry, "without_second_operator")


_STEPS: Mapping[str, Callable[[_Changes, AuditEntry], _Changes]] = {
    PROPOSED: _proposed,
    APPROVED: _approved,
    WITHDRAWN: _withdrawn,
    ALONE: _alone,
}


def _begun(entry: AuditEntry) -> KeyChange:
    purpose = next((each for each in PURPOSES if each == _said(entry, "purpose")), None)
    if purpose is None:
        raise _forbidden(entry, "there are no such keys")
    return KeyChange(
        kid=_said(entry, "replaces"),
        purpose=purpose,
        at_once=_said(entry, "signs") == "at_once",
        proposed_by=_operator(entry),
        proposed_at=entry.at,
    )


def _told(changes: _Changes, entry: AuditEntry) -> KeyChange:
    """The pending change that an entry decides on."""
    found = _newest_of(changes, _said(entry, "replaces"))
    if found is None or found.state != "pending":
        raise _forbidden(entry, "no such change was pending")
    if _details(found.kid, found.purpose, at_once=found.at_once) != entry.details:
        raise _forbidden(entry, "another change was pending")
    return found


def _decided(changes: _Changes, decided: KeyChange, entry: AuditEntry, state: State) -> _Changes:
    after = replace(decided, state=state, decided_by=_operator(entry), decided_at=entry.at)
    return tuple(after if each is decided else each for each in changes)


def _details(kid: str, purpose: Purpose, *, at_once: bool) -> dict[str, str]:
    return {"replaces": kid, "purpose": purpose, "signs": "at_once" if at_once else "once_published"}


def _newest_of(changes: _Changes, kid: str) -> KeyChange | None:
    return next((each for each in reversed(changes) if each.kid == kid), None)


def _known(changes: _Changes, kid: str) -> KeyChange:
    found = _newest_of(changes, kid)
    if found is None:
        message = f"it was never proposed to replace a key {kid!r}; heyan keys history shows them in full"
        raise NotFound("proposal_unknown", message)
    return found


def _require_pending(change: KeyChange) -> KeyChange:
    if change.state != "pending":
        raise Conflict("proposal_decided", f"this change is decided: {change.state.replace('_', ' ')}")
    return change


def _operator(entry: AuditEntry) -> str:
    operator = operator_of(entry)
    if operator is None:
        raise _forbidden(entry, "no operator did it")
    return operator


def _said(entry: AuditEntry, name: str) -> str:
    value = said(entry, name)
    if value is None:
        raise _forbidden(entry, f"it has no {name}")
    return value


def _forbidden(entry: AuditEntry, why: str) -> Unavailable:
    message = f"entry {entry.seq} of the operators' chain ({entry.event}) is not as the rules have it: {why}"
    return Unavailable("key_history_invalid", f"{message}; run heyan audit verify")
