"""A key that signs is replaced if two different operators want it, or one alone and for all to see."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from registry_office import ClockedStore

from verify.audit import AuditChainBrokenError, Event
from verify.errors import VerifyError
from verify.key_changes import ALONE, APPROVED, KeyChanges
from verify.operators import OPERATORS_CHAIN, Operator, Operators
from verify.signing import PUBLISH_SECONDS, Purpose, RingFile, load_keys

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Panel:
    """Two operators and the keys that they decide on."""

    changes: KeyChanges
    li: Operator
    wang: Operator

    def ring(self, purpose: Purpose = "live") -> RingFile:
        return self.changes.rings[purpose]

    def newest(self, purpose: Purpose = "live") -> str:
        return self.ring(purpose).ring.keys[-1].public.kid

    async def propose(self, purpose: Purpose = "live", *, at_once: bool = False) -> str:
        return (await self.changes.propose(self.li, purpose, at_once=at_once)).kid

    async def events(self) -> list[tuple[str, str]]:
        entries, _ = await self.changes.store.verified_chain(OPERATORS_CHAIN)
        return [(each.event, each.actor.removeprefix("operator:")) for each in entries]


@pytest.fixture
async def panel(clocked_store: ClockedStore, tmp_path: Path) -> Panel:
    operators = Operators(clocked_store, secrets.token_bytes)
    li, _ = await operators.create("Li Hua", role="viewer")
    wang, _ = await operators.create("Wang Fang", role="auditor")
    rings = load_keys(tmp_path, entropy=secrets.token_bytes).rings
    return Panel(KeyChanges(clocked_store, operators, rings), li, wang)


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


@pytest.mark.parametrize(("at_once", "later"), [(False, PUBLISH_SECONDS), (True, 0.0)])
@pytest.mark.parametrize("purpose", ["live", "checkpoint"])
async def test_a_key_is_replaced_by_two(panel: Panel, purpose: Purpose, at_once: bool, later: float) -> None:
    kid = await panel.propose(purpose, at_once=at_once)
    assert panel.newest(purpose) == kid
    change = await panel.changes.approve(panel.wang, kid, now=NOW)
    assert (change.state, change.proposed_by, change.decided_by) == ("approved", panel.li.id, panel.wang.id)
    assert panel.newest(purpose) != kid
    assert panel.ring(purpose).ring.keys[-1].signs_from == NOW + later
    assert await panel.events() == [("key_change.proposed", panel.li.id), ("key_change.approved", panel.wang.id)]


async def test_whoever_proposed_cannot_approve_nor_a_second_key_of_theirs(panel: Panel) -> None:
    kid = await panel.propose()
    namesake, _ = await panel.changes.operators.create("li hua", role="viewer")
    for operator in (panel.li, namesake):
        assert await refusal(panel.changes.approve(operator, kid, now=NOW)) == "proposal_own"
    assert panel.newest() == kid


async def test_a_proposal_of_somebody_whose_key_was_revoked_is_withdrawn_first(panel: Panel) -> None:
    kid = await panel.propose()
    await panel.changes.operators.revoke(panel.li.id)
    assert await refusal(panel.changes.approve(panel.wang, kid, now=NOW)) == "proposal_orphaned"
    await panel.changes.withdraw(panel.wang, kid)
    assert await refusal(panel.changes.approve(panel.wang, kid, now=NOW)) == "proposal_decided"
    assert panel.newest() == kid


async def test_it_is_proposed_once_and_again_once_withdrawn(panel: Panel) -> None:
    kid = await panel.propose()
    assert await refusal(panel.propose()) == "key_change_already_proposed"
    await panel.changes.withdraw(panel.li, kid)
    assert await panel.propose() == kid
    assert await refusal(panel.changes.approve(panel.wang, "nobody's", now=NOW)) == "proposal_unknown"


async def test_two_approvals_at_once_make_one_key(panel: Panel) -> None:
    kid = await panel.propose()
    third, _ = await panel.changes.operators.create("Zhao Min", role="viewer")
    work = (panel.changes.approve(each, kid, now=NOW) for each in (panel.wang, third))
    done = await asyncio.gather(*work, return_exceptions=True)
    assert sum(not isinstance(each, VerifyError) for each in done) >= 1
    assert len(panel.ring().ring.keys) == 2
    assert [event for event, _ in await panel.events()].count(APPROVED) == 1


async def test_an_approval_that_broke_off_before_the_key_was_made_is_repeated(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kid = await panel.propose()

    def breaking_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(RingFile, "rotate", breaking_off)
        await panel.changes.approve(panel.wang, kid, now=NOW)
    assert panel.newest() == kid
    await panel.changes.approve(panel.wang, kid, now=NOW)
    assert panel.newest() != kid
    assert [event for event, _ in await panel.events()].count(APPROVED) == 1
    assert await refusal(panel.changes.approve(panel.wang, kid, now=NOW)) == "proposal_decided"


async def test_one_alone_replaces_a_stolen_key_and_the_audit_says_so(panel: Panel) -> None:
    kid = await panel.propose()
    change = await panel.changes.replace_alone(panel.li, "live", reason=" the disk was copied ", now=NOW)
    assert (change.state, change.reason, change.decided_by) == (
        "without_second_operator",
        "the disk was copied",
        panel.li.id,
    )
    assert panel.ring().ring.signer(now=NOW).kid != kid
    assert (await panel.events())[-1] == (ALONE, panel.li.id)
    states = [each.state for each in await panel.changes.history()]
    assert states == ["withdrawn", "without_second_operator"]
    assert await refusal(panel.changes.approve(panel.wang, kid, now=NOW)) == "proposal_decided"
    assert len(panel.ring().ring.keys) == 2


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 501])
async def test_alone_needs_a_reason(panel: Panel, reason: str) -> None:
    kid = panel.newest()
    assert await refusal(panel.changes.replace_alone(panel.li, "live", reason=reason, now=NOW)) == "reason_invalid"
    assert (panel.newest(), await panel.events()) == (kid, [])


async def test_a_chain_that_tells_of_what_the_rules_forbid_replaces_nothing(panel: Panel) -> None:
    kid = await panel.propose()
    details = {"replaces": kid, "purpose": "live", "signs": "once_published"}
    forged = Event(name=APPROVED, actor=f"operator:{panel.li.id}", details=details)
    await panel.changes.store.append(OPERATORS_CHAIN, forged, kind=f"live:{APPROVED}")
    assert await refusal(panel.changes.approve(panel.wang, kid, now=NOW)) == "key_history_invalid"
    assert panel.newest() == kid


async def test_a_changed_chain_is_found(panel: Panel) -> None:
    kid = await panel.propose()
    (content,) = await panel.changes.store.audit(OPERATORS_CHAIN)
    key = f"{{{OPERATORS_CHAIN}}}:audit"
    await panel.changes.store.ask("LSET", key, 0, content.replace(panel.li.id.encode(), panel.wang.id.encode()))
    with pytest.raises(AuditChainBrokenError):
        await panel.changes.approve(panel.li, kid, now=NOW)
    assert panel.newest() == kid
