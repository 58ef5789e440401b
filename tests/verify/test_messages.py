"""The rules of messages: when they are due, how long they are tried, and when they are to no purpose."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_office import FACELESS, VOTE, Office, agreement, person, photo, restate

from verify.amendments import CaseChanges
from verify.casefile import CaseFile, CaseState, Details, Invite, InviteState, Message, MessageKind, MessageState, Rule
from verify.errors import Invalid
from verify.identity_documents import CIVIL_TIME
from verify.invites import INVITE_SECONDS
from verify.messages import (
    ACCEPTED,
    LEAST_GAP_SECONDS,
    LINK_HOURS,
    RETRY_SECONDS,
    Attempted,
    after_attempt,
    reminder_times,
)
from verify.officers import InPerson

NOON = datetime(2026, 11, 25, 12, tzinfo=CIVIL_TIME).timestamp()

QUEUED = Message(
    id="msg_1",
    kind=MessageKind.INVITATION,
    subject_id="sub_1",
    invite_id="i",
    channel="sms",
    language="zh",
    to_masked="+86*********78",
    to_sealed=b"contact",
    code_sealed=b"code",
    state=MessageState.QUEUED,
    due_at=NOON,
    until=NOON + 86400,
)


def link(issued_at: float = NOON, seconds: float = INVITE_SECONDS) -> Invite:
    return Invite(
        id="i",
        subject_id="sub_1",
        secret_hash="",
        issued_at=issued_at,
        expires_at=issued_at + seconds,
        state=InviteState.ISSUED,
        attempts_left=3,
    )


# When people are reminded


def test_a_reminder_cannot_be_earlier_than_the_link() -> None:
    assert LINK_HOURS * 3600 == INVITE_SECONDS


def test_people_are_reminded_before_the_link_ends() -> None:
    assert reminder_times((2.0,), link()) == (NOON + 22 * 3600,)


def test_nobody_is_reminded_at_night_but_the_evening_before() -> None:
    (at,) = reminder_times((6.0,), link())  # 6 in the morning
    assert datetime.fromtimestamp(at, CIVIL_TIME) == datetime(2026, 11, 25, 20, tzinfo=CIVIL_TIME)
    late = datetime(2026, 11, 25, 22, tzinfo=CIVIL_TIME).timestamp()
    (at,) = reminder_times((1.0,), link(late))  # 9 in the evening
    assert datetime.fromtimestamp(at, CIVIL_TIME) == datetime(2026, 11, 26, 20, tzinfo=CIVIL_TIME)


def test_a_reminder_that_would_come_at_once_is_left_out() -> None:
    assert reminder_times((2.0,), link(seconds=7200)) == ()
    assert len(reminder_times((2.0, 1.9, 1.0), link())) == 2
    assert reminder_times((), link()) == ()


@given(
    st.lists(st.floats(min_value=0.1, max_value=23.9), max_size=3),
    st.integers(min_value=0, max_value=86400),
    st.floats(min_value=60, max_value=86400),
)
def test_reminders_are_by_day_apart_and_while_the_link_lives(hours: list[float], start: int, seconds: float) -> None:
    invite = link(NOON + start, seconds)
    times = reminder_times(hours, invite)
    assert len(times) <= len(hours)
    for earlier, later in zip((invite.issued_at, *times), times, strict=False):
        assert later - earlier >= LEAST_GAP_SECONDS
        assert later < invite.expires_at
        assert 8 <= datetime.fromtimestamp(later, CIVIL_TIME).hour < 21


# How long it is tried


def test_what_is_accepted_is_sent_and_nothing_of_it_is_kept() -> None:
    after = after_attempt(QUEUED, ACCEPTED, now=NOON + 1, jitter=0.5)
    assert (after.state, after.sent_at, after.attempts, after.reason) == (MessageState.SENT, NOON + 1, 1, None)
    assert (after.to_sealed, after.code_sealed, after.due_at) == (b"", b"", None)


def test_what_fails_is_tried_again_later_each_time() -> None:
    message, waits = QUEUED, list[float]()
    while message.state is MessageState.QUEUED:
        assert message.due_at is not None
        now = message.due_at
        message = after_attempt(message, Attempted(reason="unreachable"), now=now, jitter=0.0)
        if message.due_at is not None:
            waits.append(message.due_at - now)
    assert waits == list(RETRY_SECONDS)
    assert (message.state, message.reason, message.attempts) == (MessageState.UNDELIVERABLE, "unreachable", 10)
    assert (message.to_sealed, message.code_sealed) == (b"", b"")


def test_nothing_is_tried_once_it_is_of_no_use() -> None:
    late = replace(QUEUED, until=NOON + 5)
    assert after_attempt(late, Attempted(reason="timeout"), now=NOON, jitter=0.0).state is MessageState.UNDELIVERABLE


def test_a_final_refusal_is_final() -> None:
    after = after_attempt(QUEUED, Attempted(reason="rejected", final=True), now=NOON, jitter=0.0)
    assert (after.state, after.reason) == (MessageState.UNDELIVERABLE, "rejected")


@pytest.mark.parametrize(("asked", "wait"), [(None, 12.0), (1.0, 12.0), (600.0, 600.0)])
def test_the_other_side_gets_the_time_that_it_asks_for(asked: float | None, wait: float) -> None:
    after = after_attempt(QUEUED, Attempted(reason="busy", retry_after=asked), now=NOON, jitter=1.0)
    assert after.due_at == NOON + wait


# When they are to no purpose

DOING = Callable[[Office, CaseFile, str, str], Awaitable[object]]


async def declines(office: Office, _: CaseFile, __: str, code: str) -> None:
    await office.invites.consent(code, agreement(await office.invites.inspect(code), agreed=False))


async def opens_the_camera(office: Office, _: CaseFile, __: str, code: str) -> None:
    await office.agree(code)
    await office.invites.exchange(code)


async def verifies_at_the_window(office: Office, file: CaseFile, subject: str, _: str) -> None:
    officer, _ = await office.officers.add("Officer 1", mode="live")
    sheet = await office.window.inspect(officer, file.case.id, subject)
    seen = InPerson(document=person().document, intent_sha256=sheet.intent_sha256, reason="no_device")
    await office.window.record(officer, file.case.id, subject, seen)


async def gets_another_link(office: Office, file: CaseFile, subject: str, _: str) -> None:
    await office.invite(file, subject)


async def is_replaced(office: Office, file: CaseFile, subject: str, _: str) -> None:
    await office.amendments.replace(office.client, file.case.id, subject, person(7))


async def leaves_the_roster(office: Office, file: CaseFile, subject: str, _: str) -> None:
    await office.amendments.add(office.client, file.case.id, person(8))
    await office.amendments.remove(office.client, file.case.id, subject)


async def is_erased(office: Office, file: CaseFile, subject: str, _: str) -> None:
    await office.erasures.erase_subject(file.case.id, subject, actor="operator")


async def sees_the_filing_changed(office: Office, file: CaseFile, _: str, __: str) -> None:
    changes = CaseChanges(details=Details(company_name="示例有限公司"))
    await office.amendments.change(office.client, file.case.id, changes)


async def sees_the_case_cancelled(office: Office, file: CaseFile, _: str, __: str) -> None:
    await office.cases.cancel(office.client, file.case.id, "withdrawn")


async def sees_the_case_expire(office: Office, file: CaseFile, _: str, __: str) -> None:
    office.store.stop_at(file.case.deadline + 1)
    await office.cases.expire(file.case.id)


async def sees_the_case_erased(office: Office, file: CaseFile, _: str, __: str) -> None:
    await office.erasures.erase_case(file.case.id, actor="operator", reason="operator")


ENDS: tuple[DOING, ...] = (
    declines,
    is_replaced,
    gets_another_link,
    leaves_the_roster,
    is_erased,
    sees_the_filing_changed,
    sees_the_case_cancelled,
    sees_the_case_expire,
    sees_the_case_erased,
)


@pytest.mark.parametrize("happens", [*ENDS, opens_the_camera, verifies_at_the_window])
async def test_what_ends_a_link_cancels_what_was_to_be_sent_of_it(office: Office, happens: DOING) -> None:
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject)
    await happens(office, file, subject, issued.code)
    for message in (await office.file(file.case.id)).messages.values():
        assert (message.state, message.to_sealed, message.code_sealed) == (MessageState.CANCELLED, b"", b"")


@pytest.mark.parametrize("happens", ENDS)
async def test_nobody_is_told_of_what_can_no_longer_be_done_in_their_name(office: Office, happens: DOING) -> None:
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject, result=True)
    await happens(office, file, subject, issued.code)
    states = {each.state for each in (await office.file(file.case.id)).messages.values()}
    assert states == {MessageState.CANCELLED}


@pytest.mark.parametrize("happens", [is_erased, leaves_the_roster, sees_the_case_erased])
async def test_whoever_is_gone_has_no_masked_contact_either(office: Office, happens: DOING) -> None:
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject)
    await happens(office, file, subject, issued.code)
    assert {each.to_masked for each in (await office.file(file.case.id)).messages.values()} == {""}


async def test_nobody_is_reminded_of_what_they_cannot_do(office: Office) -> None:
    file, (subject,) = await office.case(subjects=(person(photo=photo(FACELESS)),))
    code = (await office.send_invite(file, subject)).code
    with pytest.raises(Invalid, match="cannot be used"):
        await office.agree(code)
    states = {each.state for each in (await office.file(file.case.id)).messages.values()}
    assert states == {MessageState.CANCELLED}


async def test_consent_alone_cancels_nothing(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.agree((await office.send_invite(file, subject)).code)
    states = {each.state for each in (await office.file(file.case.id)).messages.values()}
    assert states == {MessageState.QUEUED}


async def test_others_of_a_case_are_left_alone(office: Office) -> None:
    file, (first, second) = await office.case(2)
    issued = await office.send_invite(file, first)
    await office.send_invite(file, second)
    await declines(office, file, first, issued.code)
    states = {each.subject_id: each.state for each in (await office.file(file.case.id)).messages.values()}
    assert states == {first: MessageState.CANCELLED, second: MessageState.QUEUED}


async def test_an_answer_shows_messages_as_they_are_stored(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.send_invite(file, subject)
    view = await office.cases.cancel(office.client, file.case.id, "withdrawn")
    assert view.file.messages == (await office.file(file.case.id)).messages


async def test_who_is_invited_anew_after_a_verification_lapsed_is_written_to(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    await office.store.bump_epoch()
    await office.send_invite(file, subject)
    states = {each.state for each in (await office.file(file.case.id)).messages.values()}
    assert states == {MessageState.QUEUED}


async def test_a_notice_that_is_queued_outlives_its_case(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    file, (first, _) = await office.case(2, action=VOTE.name, rule=Rule(kind="k_of_n", k=1))
    await office.verify_by((await office.send_invite(file, first, result=True)).code)
    token = await office.mint(file, first)
    await office.redemptions.redeem(office.client, token, restate(file, first))
    after = await office.file(file.case.id)
    assert after.case.state is CaseState.COMPLETED
    states = {each.kind: each.state for each in after.messages.values()}
    assert states[MessageKind.RESULT] is MessageState.QUEUED


async def test_who_is_not_redeemed_when_the_case_ends_is_told_nothing(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    file, (first, second) = await office.case(2, action=VOTE.name, rule=Rule(kind="k_of_n", k=1))
    await office.verify_by((await office.send_invite(file, second, result=True)).code)
    token = await office.verified_token(file, first)
    await office.redemptions.redeem(office.client, token, restate(file, first))
    states = {each.state for each in (await office.file(file.case.id)).messages.values()}
    assert states == {MessageState.CANCELLED}
