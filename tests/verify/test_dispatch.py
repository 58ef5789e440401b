"""Messages that are due go to one process at a time, and what came of them is a transition of their case."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from registry_office import NUMBER, ClockedStore, Office, agreement

from verify.audit import verify_chain
from verify.casefile import CaseFile, Message, MessageKind, MessageState
from verify.dispatch import LEASE_SECONDS, Dispatch, Leased
from verify.messages import ACCEPTED, RETRY_SECONDS, Attempted
from verify.store import MARK_SECONDS, MESSAGES, message_mark
from verify.store_address import connect_to

UNREACHABLE = Attempted(reason="unreachable")


@pytest.fixture
def dispatch(office: Office) -> Dispatch:
    return Dispatch(store=office.store, vault=office.keys.vault)


@pytest.fixture
async def other(office: Office, valkey_url: str) -> AsyncIterator[Dispatch]:
    """Another process of the service, or the same one after a restart."""
    async with ClockedStore(connect_to(valkey_url), prefix=office.store._prefix) as store:
        yield Dispatch(store=store, vault=office.keys.vault)


async def lease(dispatch: Dispatch, limit: int = 10) -> tuple[Leased, ...]:
    return await dispatch.lease(now=await dispatch.store.now(), limit=limit)


async def invited(office: Office, **changes: object) -> tuple[CaseFile, str, Message]:
    """A case, its person, and the invitation that is to go out."""
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject, **{"reminders": False, **changes})
    return file, subject, issued.messages[0]


async def message_of(office: Office, file: CaseFile, message: Message) -> Message:
    return (await office.file(file.case.id)).messages[message.id]


async def events(office: Office, file: CaseFile) -> list[str]:
    head = (await office.file(file.case.id)).head
    return [entry.event for entry in verify_chain(await office.store.audit(file.case.id), expected_head=head)]


async def test_a_message_is_opened_sent_and_settled(office: Office, dispatch: Dispatch) -> None:
    file, _, message = await invited(office)
    (leased,) = await lease(dispatch)
    outgoing = await dispatch.open(leased)
    assert outgoing is not None
    assert (outgoing.to, outgoing.message) == (NUMBER, message)
    assert (await office.invites.inspect(outgoing.code)).case_id == file.case.id
    assert outgoing.link_until == message.until
    await dispatch.settle(leased, message, ACCEPTED, jitter=0.0)
    assert (await message_of(office, file, message)).state is MessageState.SENT
    assert (await events(office, file))[-1] == "message.sent"
    assert await office.store.ask("ZCARD", MESSAGES) == 0


async def test_a_message_in_clear_does_not_show_itself(office: Office, dispatch: Dispatch) -> None:
    await invited(office)
    (leased,) = await lease(dispatch)
    outgoing = await dispatch.open(leased)
    assert outgoing is not None
    assert outgoing.to not in repr(outgoing)
    assert outgoing.code not in repr(outgoing)


async def test_two_processes_never_have_the_same_message(office: Office, dispatch: Dispatch, other: Dispatch) -> None:
    for _ in range(4):
        await invited(office)
    mine, theirs = await asyncio.gather(lease(dispatch), lease(other))
    assert len(mine) + len(theirs) == 4
    assert not {each.mark for each in mine} & {each.mark for each in theirs}


async def test_who_takes_over_from_a_process_that_died_has_the_same_message(
    office: Office, dispatch: Dispatch, other: Dispatch
) -> None:
    _, _, message = await invited(office)
    await lease(dispatch)  # and then it dies, perhaps after it has sent
    assert await lease(other) == ()
    other.store.advance(LEASE_SECONDS + 1)
    (leased,) = await lease(other)
    outgoing = await other.open(leased)
    assert outgoing is not None
    assert outgoing.message.id == message.id


async def test_who_comes_back_late_does_not_undo_what_the_other_did(
    office: Office, dispatch: Dispatch, other: Dispatch
) -> None:
    file, _, message = await invited(office)
    (slow,) = await lease(dispatch)
    other.store.advance(LEASE_SECONDS + 1)
    (leased,) = await lease(other)
    await other.settle(leased, message, ACCEPTED, jitter=0.0)
    await dispatch.settle(slow, message, UNREACHABLE, jitter=0.0)
    assert (await message_of(office, file, message)).state is MessageState.SENT
    assert (await events(office, file)).count("message.sent") == 1
    assert await office.store.ask("ZCARD", MESSAGES) == 0


async def test_what_fails_comes_back_later(office: Office, dispatch: Dispatch) -> None:
    file, _, message = await invited(office)
    (leased,) = await lease(dispatch)
    after = await dispatch.settle(leased, message, UNREACHABLE, jitter=0.0)
    assert (await message_of(office, file, message)) == after
    assert (after.state, after.reason, after.attempts) == (MessageState.QUEUED, "unreachable", 1)
    assert await lease(dispatch) == ()
    office.store.advance(RETRY_SECONDS[0] + 1)
    assert len(await lease(dispatch)) == 1
    assert (await events(office, file))[-1] == "message.delayed"


async def test_an_attempt_whose_mark_was_not_moved_waits_all_the_same(office: Office, dispatch: Dispatch) -> None:
    _, _, message = await invited(office)
    (leased,) = await lease(dispatch)
    await dispatch.settle(leased, message, Attempted(reason="busy", retry_after=3600.0), jitter=0.0)
    await office.store.ask("ZADD", MESSAGES, 1, leased.mark)
    (again,) = await lease(dispatch)
    assert await dispatch.open(again) is None
    assert await lease(dispatch) == ()
    office.store.advance(3700)
    (again,) = await lease(dispatch)
    assert await dispatch.open(again) is not None


async def test_what_was_cancelled_meanwhile_is_not_sent(office: Office, dispatch: Dispatch) -> None:
    file, subject, _ = await invited(office)
    (leased,) = await lease(dispatch)
    await office.invite(file, subject)
    assert await dispatch.open(leased) is None
    assert await office.store.ask("ZCARD", MESSAGES) == 0


async def test_what_was_cancelled_while_it_was_sent_stays_cancelled(office: Office, dispatch: Dispatch) -> None:
    file, subject, message = await invited(office)
    (leased,) = await lease(dispatch)
    await dispatch.open(leased)
    await office.invite(file, subject)
    await dispatch.settle(leased, message, ACCEPTED, jitter=0.0)
    assert (await message_of(office, file, message)).state is MessageState.CANCELLED
    assert await office.store.ask("ZCARD", MESSAGES) == 0


async def test_what_could_not_be_sent_in_time_is_told_as_expired(office: Office, dispatch: Dispatch) -> None:
    file, _, message = await invited(office)
    office.store.stop_at(message.until)
    (leased,) = await lease(dispatch)
    assert await dispatch.open(leased) is None
    after = await message_of(office, file, message)
    assert (after.state, after.reason, after.to_sealed) == (MessageState.UNDELIVERABLE, "expired", b"")
    notice = (await office.store.notices(file.case.id))[-1]
    assert (notice.type, notice.data["reason"]) == ("message.undeliverable", "expired")


async def test_the_client_is_told_without_the_contact(office: Office, dispatch: Dispatch) -> None:
    file, subject, message = await invited(office)
    (leased,) = await lease(dispatch)
    await dispatch.settle(leased, message, ACCEPTED, jitter=0.0)
    notice = (await office.store.notices(file.case.id))[-1]
    assert notice.type == "message.sent"
    common = {"case": file.case.id, "case_state": "open", "mode": "live"}
    assert notice.data == {**common, "subject": subject, "message": message.id, "kind": "invitation"}


async def test_a_person_who_is_erased_while_it_is_sent_is_not_written_to(office: Office, dispatch: Dispatch) -> None:
    file, subject, _ = await invited(office)
    (leased,) = await lease(dispatch)
    office.keys.vault.erase(file.case.id, subject)  # the first step of an erasure
    assert await dispatch.open(leased) is None


async def test_declining_leaves_nothing_to_send(office: Office, dispatch: Dispatch) -> None:
    file, (subject,) = await office.case()
    code = (await office.send_invite(file, subject, result=True)).code
    await office.invites.consent(code, agreement(await office.invites.inspect(code), agreed=False))
    office.store.advance(86400)
    for leased in await lease(dispatch):
        assert await dispatch.open(leased) is None
    assert await office.store.ask("ZCARD", MESSAGES) == 0


async def test_a_message_of_a_process_that_died_after_its_commit_goes_out_a_little_later(
    office: Office, dispatch: Dispatch, valkey_url: str
) -> None:
    class Dying(type(connect_to(valkey_url))):
        """Says no more once the commit is done."""

        async def run(self, *arguments: object, **options: object) -> str:
            return await super().run(*arguments, **{**options, "after": ()})

    connection = connect_to(valkey_url)
    connection.__class__ = Dying
    file, (subject,) = await office.case()
    async with ClockedStore(connection, prefix=office.store._prefix) as dying:
        invites = replace(office.invites, store=dying)
        there = replace(office, messenger=replace(office.messenger, invites=invites))
        await there.send_invite(file, subject, reminders=False)
    assert await lease(dispatch) == ()
    office.store.advance(MARK_SECONDS + 1)
    (leased,) = await lease(dispatch)
    outgoing = await dispatch.open(leased)
    assert outgoing is not None
    assert outgoing.message.kind is MessageKind.INVITATION


@pytest.mark.parametrize("known", [True, False])
async def test_a_mark_without_a_commit_means_nothing(office: Office, dispatch: Dispatch, known: bool) -> None:
    file, _ = await office.case()
    mark = message_mark(file.case.id if known else "case_aaaaaaaaaaaaaaaa", "msg_aaaaaaaaaaaaaaaa")
    await office.store.ask("ZADD", MESSAGES, 1, mark)
    (leased,) = await lease(dispatch)
    assert await dispatch.open(leased) is None
    assert await office.store.ask("ZCARD", MESSAGES) == 0
