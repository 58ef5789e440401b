"""Random histories of cases, sessions and tokens, legal and illegal steps mixed, with the store restarted in between.

A model beside the services predicts what must succeed; after each step everything is read back from the store as
another replica sees it. `pytest --hypothesis-profile=thorough` looks at many more and longer histories.

No rule has a precondition: what a killed store had already done depends on the moment, and Hypothesis must be able to
draw the same steps again. A step for which there is nothing yet does nothing.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec import structs
from registry_office import (
    CONVINCING,
    IMPOSTOR,
    INTERRUPTED,
    VOTE,
    ClockedStore,
    Office,
    agreement,
    filing,
    open_office,
    person,
    restate,
)
from valkey_process import kill_and_start

from verify.actions import Actions
from verify.amendments import CaseChanges
from verify.audit import verify_chain, written_hash
from verify.casefile import CaseFile, CaseState, Rule, SessionState, VerificationState
from verify.clients import Client
from verify.connection import connect
from verify.embedded import EmbeddedValkey
from verify.errors import Conflict, StoreUnavailable, VerifyError
from verify.redemption import Redemptions, Restated, SignedReceipt
from verify.sessions import SESSION_SECONDS, VERIFICATION_SECONDS, Claim
from verify.tokens import TOKEN_SECONDS

MOST_CASES = 5
PEOPLE = st.integers(0, 2)
"""Which person of a case, counted round."""
ANY = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 5))
"""Which of what was collected, the newest first, counted round."""
SHOWN = {"convincing": CONVINCING, "impostor": IMPOSTOR, "interrupted": INTERRUPTED}
EVIDENCE = st.sampled_from(("convincing", *SHOWN))


@dataclass
class Person:
    """What must be true of one subject."""

    valid_until: float | None = None
    """Of the accepted verification that stands; None without one."""
    epoch: int = 0
    round: int = 0
    """Counted up by whatever makes earlier links worthless."""
    token: str | None = None
    """The newest; an earlier one is cancelled."""
    receipt: str | None = None


@dataclass
class Attempt:
    """One way of a person through link, grant and session, as far as it has come."""

    case: str
    subject: str
    round: int
    code: str
    agreed: bool = False
    grant: str | None = None
    session: tuple[str, str] | None = None
    opened_at: float = 0.0
    claim: Claim | None = None
    finished: bool = False


@dataclass
class Minted:
    """One token and what it must be redeemed with."""

    text: str
    case: str
    subject: str
    restated: Restated
    expires_at: float
    receipt: str | None = None


@dataclass
class World:
    """The services of one history, and all that the model knows of it."""

    office: Office
    replica: ClockedStore
    stranger: Client
    now: float
    people: dict[str, dict[str, Person]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    minted: list[Minted] = field(default_factory=list)
    receipts: dict[str, SignedReceipt] = field(default_factory=dict)
    seen: dict[str, CaseFile] = field(default_factory=dict)
    epoch: int = 0

    def set_clock(self, now: float) -> None:
        self.now = now
        self.office.store.stop_at(now)
        self.replica.stop_at(now)

    def is_open(self, case: str) -> bool:
        file = self.seen[case]
        return file.case.state is CaseState.OPEN and self.now < file.case.deadline

    def may_mint(self, case: str, subject: str) -> bool:
        """Exactly then a token is minted."""
        known = self.people[case][subject]
        return (
            self.is_open(case)
            and subject in self.seen[case].roster
            and known.receipt is None
            and known.valid_until is not None
            and self.now < known.valid_until
            and known.epoch == self.epoch
        )

    def living(self) -> list[tuple[str, str, float]]:
        """Whoever a token could be minted for now, and until when."""
        return [
            (case, subject, known.valid_until)
            for case, people in self.people.items()
            for subject, known in people.items()
            if known.valid_until is not None and self.may_mint(case, subject)
        ]

    def may_redeem(self, token: Minted) -> bool:
        """Exactly then a token, with the right fields and by the right client, is redeemed."""
        return (
            self.may_mint(token.case, token.subject)
            and self.people[token.case][token.subject].token == token.text
            and self.now < token.expires_at
        )

    def touch(self, case: str, *subjects: str) -> None:
        """What a change of the case means for these people."""
        for subject in subjects:
            known = self.people[case].setdefault(subject, Person())
            known.valid_until, known.token = None, None
            known.round += 1


class Histories(RuleBasedStateMachine):
    """Steps and invariants. The server, as every service, is the embedded one; each history has its own prefix."""

    folder: Path
    server: EmbeddedValkey

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.run(self.world.office.store.close())
            self.run(self.world.replica.close())
        self.runner.close()

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    @initialize()
    def begin(self) -> None:
        self.world = self.run(self._world())
        self.go_all_the_way(which=0, who=0)

    async def _world(self) -> World:
        prefix = f"test-{secrets.token_hex(6)}"
        store, replica = (ClockedStore(connect(self.server.url), prefix=prefix) for _ in range(2))
        office = await open_office(store, self.folder)
        await Actions(store).register(office.client, VOTE)
        stranger, _ = await office.clients.create("window 2", mode="live")
        world = World(office=office, replica=replica, stranger=stranger, now=0.0)
        world.set_clock(float(int(time())) + 0.5)
        await self._open(world, people=2, votes=1)
        return world

    # Cases

    @rule(people=st.integers(1, 3), votes=st.integers(0, 2))
    def open_case(self, people: int, votes: int) -> None:
        if len(self.world.seen) == MOST_CASES:
            return
        self.run(self._open(self.world, people=people, votes=votes))

    async def _open(self, world: World, *, people: int, votes: int) -> None:
        """Without votes everybody must verify; else so many people decide."""
        k = min(votes, people)
        changes = {"action": VOTE.name, "rule": Rule(kind="k_of_n", k=k)} if k else {}
        file = (await world.office.cases.open(world.office.client, filing(people, **changes))).file
        world.seen[file.case.id] = file
        world.people[file.case.id] = {subject: Person() for subject in file.subjects}

    @rule(which=ANY, number=st.integers(3, 6))
    def add(self, which: int, number: int) -> None:
        case = self.case(which)
        self.amend(case, self.world.office.amendments.add(self.world.office.client, case, person(number)))

    @rule(which=ANY, who=PEOPLE, number=st.integers(0, 6))
    def replace_person(self, which: int, who: int, number: int) -> None:
        case, subject = self.subject(which, who)
        new = person(number)
        self.amend(case, self.world.office.amendments.replace(self.world.office.client, case, subject, new), subject)

    @rule(which=ANY, who=PEOPLE)
    def remove(self, which: int, who: int) -> None:
        case, subject = self.subject(which, who)
        self.amend(case, self.world.office.amendments.remove(self.world.office.client, case, subject), subject)

    @rule(which=ANY, document=st.sampled_from("abc"))
    def change_document(self, which: int, document: str) -> None:
        case = self.case(which)
        everybody = tuple(self.world.seen[case].roster)
        changes = CaseChanges(document_sha256=document * 64)
        self.amend(case, self.world.office.amendments.change(self.world.office.client, case, changes), *everybody)

    def amend(self, case: str, step: Awaitable[Any], *touched: str) -> None:
        """Whoever is touched must verify anew; who is redeemed cannot be touched any more."""
        before, open_before = self.world.seen[case], self.world.is_open(case)
        view = self.attempted(step)
        if view is None or view.file == before:
            return
        assert open_before
        assert not any(self.world.people[case][subject].receipt for subject in touched)
        self.world.touch(case, *touched, *(set(view.file.subjects) - set(before.subjects)))

    @rule(which=ANY)
    def cancel(self, which: int) -> None:
        case, was_open = self.case(which), self.world.is_open(self.case(which))
        view = self.attempted(self.world.office.cases.cancel(self.world.office.client, case, "withdrawn"))
        assert (view is not None) == was_open

    @rule(which=ANY)
    def expire(self, which: int) -> None:
        case = self.case(which)
        self.attempted(self.world.office.cases.expire(case))

    # From link to verification

    @rule(which=ANY, who=PEOPLE, steps=st.integers(1, 6), evidence=EVIDENCE)
    def invite(self, which: int, who: int, steps: int, evidence: str) -> None:
        """A new link for a person, and so many steps along it; six lead to a decision."""
        case, subject = self.subject(which, who)
        issued = self.attempted(self.world.office.invites.issue(self.world.office.client, case, subject))
        if issued is None:
            return
        known = self.world.people[case][subject]
        known.round += 1
        self.world.attempts.append(Attempt(case, subject, known.round, issued.code))
        for _ in range(steps):
            self.go_on(self.world.attempts[-1], evidence)

    @rule(which=ANY, steps=st.integers(1, 3), evidence=EVIDENCE)
    def resume(self, which: int, steps: int, evidence: str) -> None:
        """Go on with an attempt, whatever has happened to its case since."""
        if not self.world.attempts:
            return
        for _ in range(steps):
            self.go_on(self.world.attempts[which % len(self.world.attempts)], evidence)

    @rule(which=ANY)
    def decline(self, which: int) -> None:
        if not self.world.attempts:
            return
        attempt = self.world.attempts[which % len(self.world.attempts)]
        view = self.attempted(self.world.office.invites.inspect(attempt.code))
        if view is not None:
            self.attempted(self.world.office.invites.consent(attempt.code, agreement(view, agreed=False)))

    def go_on(self, attempt: Attempt, evidence: str) -> None:
        """The next step of an attempt; the last one over and over again."""
        office = self.world.office
        if attempt.claim is not None:
            self.finish(attempt, evidence)
        elif attempt.session is not None:
            attempt.claim = self.attempted(office.sessions.claim(*attempt.session))
        elif attempt.grant is not None:
            opened = self.attempted(office.sessions.open(attempt.grant))
            if opened is not None:
                attempt.session, attempt.opened_at = (opened.session_id, opened.secret), self.world.now
        elif attempt.agreed:
            grant = self.attempted(office.invites.exchange(attempt.code))
            attempt.grant = grant.secret if grant is not None else None
        else:
            attempt.agreed = self.attempted(office.agree(attempt.code)) is not None

    def finish(self, attempt: Attempt, evidence: str) -> None:
        known = self.world.people[attempt.case][attempt.subject]
        may = (
            self.world.is_open(attempt.case)
            and attempt.subject in self.world.seen[attempt.case].roster
            and attempt.round == known.round
            and not attempt.finished
            and self.world.now < attempt.opened_at + SESSION_SECONDS
            and not self.world.may_mint(attempt.case, attempt.subject)
            and known.receipt is None
        )
        finished = self.attempted(self.world.office.sessions.finish(attempt.claim, SHOWN[evidence]))
        if finished is None:
            return
        assert may, "an attempt was decided that had no right to be"
        attempt.finished = True
        assert (finished.outcome == "accepted") == (evidence == "convincing")
        if finished.outcome == "accepted":
            known.valid_until, known.epoch, known.token = self.world.now + VERIFICATION_SECONDS, self.world.epoch, None

    # Tokens

    @rule(which=ANY, who=PEOPLE)
    def mint(self, which: int, who: int) -> None:
        case, subject = self.subject(which, who)
        may, file = self.world.may_mint(case, subject), self.world.seen[case]
        minted = self.attempted(self.world.office.tokens.mint(self.world.office.client, case, subject))
        assert (minted is not None) == may, "a token needs an accepted verification that stands, and nothing else"
        if minted is None:
            return
        until = min(self.world.now + TOKEN_SECONDS, self.world.people[case][subject].valid_until)
        assert minted.expires_at.timestamp() == int(until)
        token = Minted(minted.token, case, subject, restate(file, subject), int(until))
        self.world.minted.append(token)
        self.world.people[case][subject].token = token.text

    @rule(which=ANY, who=PEOPLE)
    def go_all_the_way(self, which: int, who: int) -> None:
        """As a person usually does: from link to token."""
        self.invite(which=which, who=who, steps=6, evidence="convincing")
        self.mint(which=which, who=who)

    @rule(which=ANY)
    def go_on_to_the_end(self, which: int) -> None:
        """Everybody verifies and is redeemed, until the case is completed and whoever is left is too late."""
        case = self.case(which)
        everybody = range(len(self.world.seen[case].subjects))
        for who in everybody:
            self.go_all_the_way(which=which, who=who)
        for who in everybody:
            known = self.world.people[case][self.subject(which, who)[1]]
            newest = [place for place, token in enumerate(reversed(self.world.minted)) if token.text == known.token]
            if newest:
                self.redeem(which=newest[0], wrong=None)
                self.every_case_is_as_it_must_be()

    @rule(which=ANY, who=PEOPLE)
    def use_the_older_token(self, which: int, who: int) -> None:
        self.go_all_the_way(which=which, who=who)
        self.mint(which=which, who=who)
        if len(self.world.minted) > 1:
            self.redeem(which=1, wrong=None)

    @rule(which=ANY, early=st.sampled_from((0.0, 1.0)))
    def mint_at_the_last_moment(self, which: int, early: float) -> None:
        """Or at the very moment from which it is too late."""
        living = self.world.living()
        if not living:
            return
        case, subject, until = living[-1 - which % len(living)]
        self.world.set_clock(max(self.world.now, until - early))
        place = list(self.world.seen).index(case)
        who = list(self.world.seen[case].subjects).index(subject)
        self.mint(which=len(self.world.seen) - 1 - place, who=who)

    @rule(which=ANY, wrong=st.sampled_from((None, None, None, "case", "subject", "action", "role", "document_sha256")))
    def redeem(self, which: int, wrong: str | None) -> None:
        if not self.world.minted:
            return
        token = self.token(which)
        may = wrong is None and self.world.may_redeem(token)
        restated = token.restated if wrong is None else replace(token.restated, **{wrong: "another"})
        answer = self.run(self.redeeming(self.world.office.redemptions, token, restated))
        assert isinstance(answer, SignedReceipt) == may, answer
        if isinstance(answer, SignedReceipt):
            self.keep(token, answer)
        elif token.receipt is not None and wrong is None:
            assert self.run(self.fetched(answer)).id == token.receipt

    @rule(which=ANY)
    def redeem_as_another(self, which: int) -> None:
        if not self.world.minted:
            return
        token = self.token(which)
        step = self.world.office.redemptions.redeem(self.world.stranger, token.text, token.restated)
        assert self.attempted(step) is None

    @rule(which=ANY, how=st.sampled_from((1, 3)))
    def race(self, which: int, how: int) -> None:
        """The same token at the same time, through two replicas."""
        if not self.world.minted:
            return
        token = self.token(which)
        may = self.world.may_redeem(token)

        async def raced() -> list[SignedReceipt | VerifyError]:
            ways = (self.world.office.redemptions, self.others())
            redeeming = [self.redeeming(ways[each % 2], token, token.restated) for each in range(2 * how)]
            return await asyncio.gather(*redeeming)

        answers = self.run(raced())
        won = [answer for answer in answers if isinstance(answer, SignedReceipt)]
        assert len(won) == may, "of several who redeem one token exactly one succeeds"
        if won:
            self.keep(token, won[0])

    @rule(which=ANY)
    def redeem_while_the_store_dies(self, which: int) -> None:
        """Whatever the first answer was, asking again tells what has become of it."""
        if not self.world.minted:
            return
        token = self.token(which)
        may = self.world.may_redeem(token)

        async def cut() -> SignedReceipt | VerifyError:
            redeeming = asyncio.create_task(self.redeeming(self.world.office.redemptions, token, token.restated))
            for _ in range(which % 8):
                await asyncio.sleep(0)
            await self.kill()
            return await redeeming

        first = self.run(cut())
        if isinstance(first, SignedReceipt):
            assert may
            self.keep(token, first)
        elif isinstance(first, StoreUnavailable) and may:
            again = self.run(self.redeeming(self.world.office.redemptions, token, token.restated))
            self.keep(token, again if isinstance(again, SignedReceipt) else self.run(self.fetched(again)))
        elif may:
            self.keep(token, self.run(self.fetched(first)))

    @rule(which=ANY, more=st.lists(ANY, max_size=2))
    def redeem_case(self, which: int, more: list[int]) -> None:
        """Several tokens at once: all are redeemed, or none."""
        if not self.world.minted:
            return
        chosen = [self.token(each) for each in (which, *more)]
        pairs = tuple((token.text, token.restated) for token in chosen)
        step = self.world.office.redemptions.redeem_case(self.world.office.client, chosen[0].case, pairs)
        may = all(self.world.may_redeem(token) for token in chosen)
        receipts = self.attempted(step)
        if receipts is not None:
            assert may
            for token, receipt in zip(chosen, receipts, strict=True):
                self.keep(token, receipt)

    @rule(which=ANY)
    def fetch(self, which: int) -> None:
        if not self.world.receipts:
            return
        receipt = list(self.world.receipts.values())[which % len(self.world.receipts)]
        assert self.run(self.world.office.redemptions.receipt(self.world.office.client, receipt.id)) == receipt
        assert self.attempted(self.world.office.redemptions.receipt(self.world.stranger, receipt.id)) is None

    async def redeeming(self, how: Redemptions, token: Minted, restated: Restated) -> SignedReceipt | VerifyError:
        try:
            return await how.redeem(self.world.office.client, token.text, restated)
        except VerifyError as refusal:
            return refusal

    async def fetched(self, refusal: VerifyError) -> SignedReceipt:
        """The receipt that a refused repetition names."""
        assert isinstance(refusal, Conflict), refusal
        assert refusal.code == "token_already_redeemed"
        return await self.world.office.redemptions.receipt(self.world.office.client, str(refusal.receipt_id))

    def keep(self, token: Minted, receipt: SignedReceipt) -> None:
        known = self.world.people[token.case][token.subject]
        assert known.receipt is None, "a verification was redeemed twice"
        known.receipt = token.receipt = receipt.id
        self.world.receipts[receipt.id] = receipt

    def others(self) -> Redemptions:
        """Redemptions as another process of the service does them."""
        office, replica = self.world.office, self.world.replica
        tokens, checkpoints = replace(office.tokens, store=replica), replace(office.checkpoints, store=replica)
        return replace(office.redemptions, store=replica, tokens=tokens, checkpoints=checkpoints)

    # Time and accidents

    @rule(seconds=st.sampled_from((1.0, 60.0, 179.5, 599.0, 600.0)))
    def wait(self, seconds: float) -> None:
        self.world.set_clock(self.world.now + seconds)

    @rule(days=st.sampled_from((1, 15, 20)))
    def wait_long(self, days: int) -> None:
        self.world.set_clock(self.world.now + days * 86400.0)

    @rule()
    def restore_a_backup(self) -> None:
        self.world.epoch = self.run(self.world.office.store.bump_epoch())
        self.world.set_clock(self.world.now + 1.0)  # of two verifications at one instant none is the newer

    @rule(killed=st.booleans())
    def restart_the_store(self, killed: bool) -> None:
        self.run(self.kill() if killed else self.restart())

    async def kill(self) -> None:
        await kill_and_start(self.server)

    async def restart(self) -> None:
        await self.server.close()
        await self.server.start(supervise=False)

    # What always holds

    @invariant()
    def every_case_is_as_it_must_be(self) -> None:
        for case in tuple(self.world.seen):
            self.run(self.look_at(case))

    async def look_at(self, case: str) -> None:
        store, before = self.world.replica, self.world.seen[case]
        file, _ = await store.load(case)
        if file.head != before.head:
            entries = verify_chain(await store.audit(case), expected_head=file.head)
            assert len(entries) == file.entries
            _check_every_change_is_in_the_audit(await store.ledger.record(case), [entry.written for entry in entries])
            _check_ends_are_final(before, file)
            _check_receipts(file)
        self.check_what_was_promised(file)
        self.world.seen[case] = file

    def check_what_was_promised(self, file: CaseFile) -> None:
        """What was acknowledged is there, and nothing else."""
        known = {each.receipt for each in self.world.people[file.case.id].values() if each.receipt is not None}
        assert set(file.receipts) == known
        for identifier in known:
            assert file.receipts[identifier].text == self.world.receipts[identifier].receipt

    # Small helpers

    def attempted(self, step: Awaitable[Any]) -> Any:
        """What a step answers; None if it was refused, which must be in so many words."""

        async def stepped() -> Any:
            return await step

        try:
            return self.run(stepped())
        except StoreUnavailable:
            raise
        except VerifyError as refusal:
            assert refusal.code
            return None

    def case(self, which: int) -> str:
        cases = list(self.world.seen)
        return cases[-1 - which % len(cases)]

    def subject(self, which: int, who: int) -> tuple[str, str]:
        """One of a case's people, removed ones too."""
        case = self.case(which)
        subjects = list(self.world.seen[case].subjects)
        return case, subjects[who % len(subjects)]

    def token(self, which: int) -> Minted:
        return self.world.minted[-1 - which % len(self.world.minted)]


def _check_every_change_is_in_the_audit(record: dict[str, bytes], written: list[dict[str, str]]) -> None:
    """Each field of the record is what the newest entry that names it says was written."""
    told: dict[str, str] = {}
    for entry in written:
        told |= entry
    for name, content in record.items():
        if name not in {"head", "entries"}:
            assert told.get(name) == written_hash(content), name


def _check_ends_are_final(before: CaseFile, after: CaseFile) -> None:
    """An end state is never left; a redeemed or revoked verification and a finished session stay what they are.

    Only that a verification is of somebody who has left is written on it later, once.
    """
    if before.case.state is not CaseState.OPEN:
        assert structs.replace(after, head="", entries=0) == structs.replace(before, head="", entries=0)
    for key, verification in before.verifications.items():
        if verification.state is not VerificationState.ACTIVE:
            now = after.verifications[key]
            assert replace(now, former=verification.former) == verification
            assert verification.former in {None, now.former}
    for key, session in before.sessions.items():
        if session.state is SessionState.FINISHED:
            assert after.sessions[key] == session
    for key, receipt in before.receipts.items():
        assert after.receipts[key] == receipt


def _check_receipts(file: CaseFile) -> None:
    """One receipt for each redeemed verification, and each verification from an accepted session."""
    redeemed = [key for key, each in file.verifications.items() if each.state is VerificationState.REDEEMED]
    assert sorted(receipt.verification_id for receipt in file.receipts.values()) == sorted(redeemed)
    for verification in file.verifications.values():
        session = file.sessions[verification.session_id]
        assert (session.state, session.outcome) == (SessionState.FINISHED, "accepted")
        if verification.token_id is not None:
            assert verification.token_expires_at is not None
            assert verification.token_expires_at <= verification.valid_until


THOROUGH = settings.get_current_profile_name() == "thorough"


def test_random_histories(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "store")
    asyncio.run(server.start(supervise=False))

    class HistoriesOnThisServer(Histories):
        pass

    HistoriesOnThisServer.server, HistoriesOnThisServer.folder = server, tmp_path
    try:
        run_state_machine_as_test(
            HistoriesOnThisServer,
            settings=settings(
                max_examples=400 if THOROUGH else 50,
                stateful_step_count=80 if THOROUGH else 30,
                deadline=None,
                derandomize=not THOROUGH,
                phases=list(Phase) if THOROUGH else [Phase.explicit, Phase.generate],  # shrinking takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        asyncio.run(server.close())
