"""A policy is in force only if two different operators put it there, and the operators' chain alone says so."""

import asyncio
import secrets
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_office import ClockedStore, Office

from verify.audit import AuditChainBrokenError, AuditEntry, Event, verify_chain
from verify.errors import VerifyError
from verify.operators import OPERATORS_CHAIN, Operator, Operators
from verify.policy import DEFAULT, PolicyError, load_policy, names, shipped_text
from verify.policy_changes import (
    APPROVED,
    PROPOSED,
    WITHDRAWN,
    History,
    PolicyChanges,
    file_digest,
    history_of,
    named_text,
    policies_known,
    thresholds_hash,
)
from verify.store_address import connect_to

CONTRACT = load_policy().contract


def own(version: str = "mine", frames: int = 9) -> bytes:
    return f'version = "{version}"\nextends = "{DEFAULT}"\ncompared_frames = {frames}\n'.encode()


MINE = own()
OTHER = next(name for name in names() if name.startswith(DEFAULT) and name != DEFAULT)


@dataclass(frozen=True)
class Panel:
    """Two operators and what they decide on."""

    changes: PolicyChanges
    li: Operator
    wang: Operator

    async def propose(self, content: bytes = MINE, *, by: Operator | None = None) -> str:
        return (await self.changes.propose(by or self.li, content, expected_contract=CONTRACT)).digest

    async def approve(self, digest: str, *, by: Operator | None = None) -> None:
        await self.changes.approve(by or self.wang, digest, expected_contract=CONTRACT)

    async def put_in_force(self, content: bytes = MINE) -> str:
        digest = await self.propose(content)
        await self.approve(digest)
        return digest

    async def version(self, named: str | None = None) -> str:
        return (await self.changes.in_force(named=named, contract=CONTRACT)).version


@pytest.fixture
async def panel(clocked_store: ClockedStore) -> Panel:
    operators = Operators(clocked_store, secrets.token_bytes)
    li, _ = await operators.create("Li Hua", role="viewer")
    wang, _ = await operators.create("Wang Fang", role="auditor")
    return Panel(PolicyChanges(clocked_store, operators), li, wang)


async def refusal(work: object) -> str:
    with pytest.raises((VerifyError, PolicyError)) as caught:
        await work
    return str(caught.value.code)


async def chain(store: ClockedStore) -> tuple[AuditEntry, ...]:
    return (await store.verified_chain(OPERATORS_CHAIN))[0]


async def test_without_any_approval_a_shipped_policy_is_in_force(panel: Panel) -> None:
    assert await panel.version() == DEFAULT
    assert await panel.version(OTHER) == OTHER
    assert await refusal(panel.version("no-such-policy")) == "policy_unknown"


async def test_two_operators_put_a_policy_in_force(panel: Panel, clocked_store: ClockedStore) -> None:
    digest = await panel.propose()
    assert await panel.version() == DEFAULT
    await panel.approve(digest)
    assert await panel.version() == "mine"
    found = (await panel.changes.history()).in_force
    assert found is not None
    assert (found.proposed_by, found.decided_by, found.content) == (panel.li.id, panel.wang.id, MINE.decode())
    told = [
        (each.event, each.actor, each.details["digest"], each.details["version"]) for each in await chain(clocked_store)
    ]
    assert told == [
        (PROPOSED, f"operator:{panel.li.id}", file_digest(MINE), "mine"),
        (APPROVED, f"operator:{panel.wang.id}", file_digest(MINE), "mine"),
    ]


async def test_nobody_approves_their_own(panel: Panel) -> None:
    digest = await panel.propose()
    assert await refusal(panel.approve(digest, by=panel.li)) == "proposal_own"
    assert await panel.version() == DEFAULT


async def test_a_second_key_of_the_same_person_is_no_second_person(panel: Panel) -> None:
    again, _ = await panel.changes.operators.create("li hua", role="auditor")
    assert await refusal(panel.approve(await panel.propose(), by=again)) == "proposal_own"


async def test_what_an_operator_proposed_whose_key_was_revoked_is_not_approved(panel: Panel) -> None:
    digest = await panel.propose()
    await panel.changes.operators.revoke(panel.li.id)
    assert await refusal(panel.approve(digest)) == "proposal_orphaned"


async def test_an_operator_is_who_holds_the_key(panel: Panel) -> None:
    operators = panel.changes.operators
    made, key = await operators.create("Zhao", role="viewer")
    assert await operators.holder(key, expected=made.id) == made
    assert await refusal(operators.holder(key, expected=panel.li.id)) == "operator_key_invalid"
    assert await refusal(operators.holder("wrong", expected=made.id)) == "operator_key_invalid"
    await operators.revoke(made.id)
    assert await refusal(operators.holder(key, expected=made.id)) == "operator_key_invalid"


async def test_an_approval_names_what_was_shown(panel: Panel) -> None:
    digest = await panel.propose()
    for wrong in (file_digest(own(frames=8)), digest[:12], ""):
        assert await refusal(panel.approve(wrong)) == "proposal_unknown"


async def test_a_proposal_is_decided_once(panel: Panel) -> None:
    digest = await panel.put_in_force()
    assert await refusal(panel.approve(digest)) == "proposal_decided"
    assert await refusal(panel.changes.withdraw(panel.li, digest)) == "proposal_decided"
    withdrawn = await panel.propose(own("theirs"))
    await panel.changes.withdraw(panel.wang, withdrawn)
    assert await refusal(panel.approve(withdrawn)) == "proposal_decided"
    assert await panel.version() == "mine"


async def test_the_same_file_is_proposed_once_at_a_time(panel: Panel) -> None:
    digest = await panel.propose()
    assert await refusal(panel.propose()) == "policy_already_proposed"
    await panel.approve(digest)
    assert await refusal(panel.propose()) == "policy_already_in_force"


async def test_of_two_approvals_at_once_one_counts(panel: Panel, valkey_url: str, clocked_store: ClockedStore) -> None:
    digest = await panel.propose()
    third, _ = await panel.changes.operators.create("Zhao", role="viewer")
    async with ClockedStore(connect_to(valkey_url), prefix=clocked_store._prefix) as replica:
        beside = replace(panel.changes, store=replica)
        done = await asyncio.gather(
            panel.changes.approve(panel.wang, digest, expected_contract=CONTRACT),
            beside.approve(third, digest, expected_contract=CONTRACT),
            return_exceptions=True,
        )
    assert sorted(getattr(each, "code", "done") for each in done) == ["done", "proposal_decided"]
    assert [entry.event for entry in await chain(clocked_store)] == [PROPOSED, APPROVED]


async def test_a_version_names_one_set_of_thresholds_for_good(panel: Panel) -> None:
    await panel.put_in_force()
    assert await refusal(panel.propose(own(frames=8))) == "policy_version_taken"
    assert await refusal(panel.propose(own(DEFAULT, 8))) == "policy_version_taken"
    await panel.put_in_force(own("next"))
    assert await refusal(panel.propose(own(frames=8))) == "policy_version_taken"


async def test_a_draft_that_was_withdrawn_leaves_its_version(panel: Panel) -> None:
    await panel.changes.withdraw(panel.li, await panel.propose(own(frames=8)))
    await panel.put_in_force()
    assert (await panel.changes.in_force(named=None, contract=CONTRACT)).compared_frames == 9


async def test_the_way_back_takes_two_as_well(panel: Panel) -> None:
    await panel.put_in_force()
    await panel.put_in_force(shipped_text(DEFAULT).encode())
    assert await panel.version() == DEFAULT
    states = [each.state for each in (await panel.changes.history()).proposals]
    assert states == ["replaced", "in_force"]
    await panel.put_in_force()
    assert await panel.version() == "mine"


@pytest.mark.parametrize("named", [DEFAULT, OTHER, "no-such-policy"])
async def test_the_environment_cannot_say_otherwise(panel: Panel, named: str) -> None:
    await panel.put_in_force()
    assert await panel.version("mine") == "mine"
    with pytest.raises(PolicyError, match="HEYAN_POLICY") as raised:
        await panel.version(named)
    assert raised.value.code == "policy_conflict"


async def test_a_store_without_the_approval_starts_nothing_if_the_environment_expects_it(panel: Panel) -> None:
    """As after a backup from before it was restored."""
    assert await refusal(panel.version("mine")) == "policy_unknown"


async def test_a_bad_policy_or_one_for_other_models_is_not_proposed(panel: Panel, clocked_store: ClockedStore) -> None:
    assert await refusal(panel.propose(MINE + b"sharpnes = 1\n")) == "policy_invalid"
    assert await refusal(panel.propose(b"\xff")) == "policy_invalid"
    wrong = panel.changes.propose(panel.li, MINE, expected_contract="other/1")
    assert await refusal(wrong) == "policy_contract_mismatch"
    assert await chain(clocked_store) == ()
    digest = await panel.propose()
    wrong = panel.changes.approve(panel.wang, digest, expected_contract="other/1")
    assert await refusal(wrong) == "policy_contract_mismatch"


def told(event: str, actor: str, content: bytes = MINE, **changes: str) -> Event:
    """An entry as the rules have it, but for what is changed."""
    details = {"digest": file_digest(content), "version": "mine", "thresholds": "t"}
    if event == PROPOSED:
        details |= {"content": content.decode()}
    return Event(name=event, actor=actor, details={**details, **changes})


@pytest.mark.parametrize(
    "entries",
    [
        [told(APPROVED, "operator:b")],
        [told(PROPOSED, "operator:a"), told(APPROVED, "operator:a")],
        [told(PROPOSED, "operator:a"), told(APPROVED, "service")],
        [told(PROPOSED, "service"), told(APPROVED, "operator:b")],
        [told(PROPOSED, "operator:a"), told(APPROVED, "operator:b", thresholds="u")],
        [told(PROPOSED, "operator:a"), told(WITHDRAWN, "operator:a"), told(APPROVED, "operator:b")],
        [told(PROPOSED, "operator:a", digest=file_digest(b"compared_frames = 1"))],
        [told(PROPOSED, "operator:a"), told(PROPOSED, "operator:b")],
        [told(PROPOSED, "operator:a", thresholds="")],
    ],
)
async def test_a_chain_that_breaks_the_rules_starts_nothing(
    panel: Panel, clocked_store: ClockedStore, entries: list[Event]
) -> None:
    for event in entries:
        await clocked_store.append(OPERATORS_CHAIN, event, kind=f"live:{event.name}")
    assert await refusal(panel.version()) == "policy_history_invalid"
    assert await refusal(panel.propose(own("next"))) == "policy_history_invalid"


async def test_a_version_cannot_be_given_other_thresholds_in_the_chain(
    panel: Panel, clocked_store: ClockedStore
) -> None:
    await panel.put_in_force()
    digest = file_digest(own(frames=8))
    for event in (told(PROPOSED, "operator:a", own(frames=8)), told(APPROVED, "operator:b", own(frames=8))):
        assert event.details["digest"] == digest
        await clocked_store.append(OPERATORS_CHAIN, event, kind=f"live:{event.name}")
    assert await refusal(panel.version()) == "policy_history_invalid"


async def test_what_would_not_judge_as_when_it_was_approved_starts_nothing(
    panel: Panel, clocked_store: ClockedStore
) -> None:
    """As after an update with other thresholds in the policy that it extends."""
    for event in (told(PROPOSED, "operator:a"), told(APPROVED, "operator:b")):
        await clocked_store.append(OPERATORS_CHAIN, event, kind=f"live:{event.name}")
    assert await refusal(panel.version()) == "policy_changed"
    assert "mine" not in policies_known(await panel.changes.history())


async def test_a_changed_proposal_is_not_approved(panel: Panel, clocked_store: ClockedStore) -> None:
    await clocked_store.append(OPERATORS_CHAIN, told(PROPOSED, f"operator:{panel.li.id}"), kind=f"live:{PROPOSED}")
    assert await refusal(panel.approve(file_digest(MINE))) == "policy_changed"


async def test_an_entry_that_was_changed_in_the_store_starts_nothing(panel: Panel, clocked_store: ClockedStore) -> None:
    await panel.put_in_force()
    key = clocked_store._audit(OPERATORS_CHAIN)
    entry = (await clocked_store.audit(OPERATORS_CHAIN))[0]
    forged = entry.replace(b"compared_frames = 9", b"compared_frames = 1")
    assert forged != entry
    await clocked_store._connection.ask("LSET", key, 0, forged)
    with pytest.raises(AuditChainBrokenError):
        await panel.version()


async def test_policies_are_found_by_version_and_digest(panel: Panel) -> None:
    digest = await panel.put_in_force()
    history = await panel.changes.history()
    assert named_text(history, digest) == named_text(history, "mine") == MINE.decode()
    assert named_text(history, DEFAULT) == shipped_text(DEFAULT)
    with pytest.raises(PolicyError) as raised:
        named_text(history, "none")
    assert raised.value.code == "policy_unknown"
    assert policies_known(history)["mine"].compared_frames == 9
    assert set(policies_known(History())) == set(names())


async def test_token_and_audit_name_the_approved_version(office: Office, panel: Panel) -> None:
    await panel.put_in_force(own(frames=8))
    approved = replace(
        office, sessions=replace(office.sessions, policy=await panel.changes.in_force(named=None, contract=CONTRACT))
    )
    file, (subject,) = await office.case()
    token = await approved.verified_token(file, subject)
    assert office.read(token).policy == "mine"
    file = await office.file(file.case.id)
    entries = verify_chain(await office.store.audit(file.case.id), expected_head=file.head)
    assert [each.details["policy"] for each in entries if each.event == "session.finished"] == ["mine"]


# Random histories

FILES = (own("mine", 9), own("mine", 8), own("theirs", 9))
"""Two that want one version, and one that does not."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("propose", "approve", "approve", "withdraw", "revoke")), st.integers(0, 3), st.integers(0, 2)
    ),
    max_size=14,
)


@dataclass
class Model:
    """What must be so, kept beside."""

    pending: dict[int, int] = field(default_factory=dict)
    """Proposer by file."""
    approved: set[int] = field(default_factory=set)
    in_force: tuple[int, int, int] | None = None
    """File, proposer, approver."""
    revoked: set[int] = field(default_factory=set)

    def step(self, what: str, who: int, which: int) -> bool:
        """Whether a step must succeed; then it is taken."""
        if who in self.revoked:
            return False
        match what:
            case "propose":
                rivals = {0: {1}, 1: {0}, 2: set()}[which]
                current = self.in_force is not None and self.in_force[0] == which
                if which in self.pending or current or rivals & (self.approved | set(self.pending)):
                    return False
                self.pending[which] = who
            case "approve":
                proposer = self.pending.get(which)
                if proposer is None or proposer == who or proposer in self.revoked:
                    return False
                self.in_force = (which, self.pending.pop(which), who)
                self.approved.add(which)
            case "withdraw":
                if self.pending.pop(which, None) is None:
                    return False
            case "revoke":
                self.revoked.add(who)
        return True


async def lived(url: str, steps: list[tuple[str, int, int]]) -> None:
    async with ClockedStore(connect_to(url), prefix=f"test-{secrets.token_hex(6)}") as store:
        operators = Operators(store, secrets.token_bytes)
        changes, model = PolicyChanges(store, operators), Model()
        people = [await operators.create(name, role="viewer") for name in ("Li", "Wang", "Zhao", "Sun")]
        ids = [made.id for made, _ in people]
        for what, who, which in steps:
            assert await taken(changes, people[who], what, FILES[which]) == model.step(what, who, which)
            found = (await changes.history()).in_force
            if model.in_force is None:
                assert found is None
                assert (await changes.in_force(named=None, contract=CONTRACT)).version == DEFAULT
            else:
                file, proposer, approver = model.in_force
                assert found is not None
                assert (found.digest, found.proposed_by, found.decided_by) == (
                    file_digest(FILES[file]),
                    ids[proposer],
                    ids[approver],
                )
                assert found.proposed_by != found.decided_by
                assert thresholds_hash(await changes.in_force(named=None, contract=CONTRACT)) == found.thresholds


async def taken(changes: PolicyChanges, person: tuple[Operator, str], what: str, content: bytes) -> bool:
    """One step, as the command line takes it: with a key."""
    made, key = person
    try:
        operator = await changes.operators.holder(key, expected=made.id)
        match what:
            case "propose":
                await changes.propose(operator, content, expected_contract=CONTRACT)
            case "approve":
                await changes.approve(operator, file_digest(content), expected_contract=CONTRACT)
            case "withdraw":
                await changes.withdraw(operator, file_digest(content))
            case _:
                await changes.operators.revoke(made.id)
    except (VerifyError, PolicyError) as refused:
        assert refused.code
        return False
    return True


@settings(max_examples=60)
@given(steps=STEPS)
def test_random_histories_put_nothing_in_force_without_two(valkey_url: str, steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(lived(valkey_url, steps))


WRITTEN = st.builds(
    told,
    event=st.sampled_from((PROPOSED, APPROVED, WITHDRAWN, "operator.looked")),
    actor=st.sampled_from(("operator:a", "operator:b", "operator:c", "service", "operator:")),
    content=st.sampled_from(FILES),
    thresholds=st.sampled_from(("t", "t", "t", "u")),
)


@settings(max_examples=500)
@given(events=st.lists(WRITTEN, max_size=10))
def test_whatever_a_chain_says_it_takes_two(events: list[Event]) -> None:
    entries = [
        AuditEntry(seq=seq, at=float(seq), actor=each.actor, event=each.name, details=dict(each.details), nonce="n")
        for seq, each in enumerate(events)
    ]
    try:
        history = history_of(entries)
    except PolicyError as error:
        assert error.code == "policy_history_invalid"
        return
    assert sum(each.state == "in_force" for each in history.proposals) <= 1
    for each in history.proposals:
        if each.was_approved:
            assert each.decided_by not in {None, each.proposed_by}
