"""Invites that the service sends: what the commit holds, what the store shows of it, and what erasing leaves."""

from dataclasses import replace

import pytest
from registry_office import NUMBER, Office, restate

from verify.audit import verify_chain
from verify.auditing import audit
from verify.casefile import CaseFile, Message, MessageKind, MessageState
from verify.contacts import contact
from verify.errors import Gone, StoreUnavailable, VerifyError
from verify.messenger import code_binding, contact_binding
from verify.store import MESSAGES

MAILBOX = "zhang.sanfeng@example.com"


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def messages_of(office: Office, file: CaseFile) -> list[Message]:
    return list((await office.file(file.case.id)).messages.values())


def opened(office: Office, file: CaseFile, message: Message) -> tuple[str, str]:
    """Contact and code of a message."""
    case = file.case
    return tuple(
        office.keys.vault.open(sealed, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=bound_to).decode()
        for sealed, bound_to in (
            (message.to_sealed, contact_binding(message.subject_id, message.id)),
            (message.code_sealed, code_binding(message.subject_id, message.id)),
        )
    )


async def everything(office: Office) -> bytes:
    """All that the store holds under the prefix of this test, keys and values."""
    connection, prefix = office.store._connection, office.store._prefix
    found = list[bytes]()
    async for key in connection.matching(f"{prefix}:*", page=100):
        kind = (await connection.ask("TYPE", key)).decode()
        read = {
            "string": ("GET", key),
            "hash": ("HGETALL", key),
            "list": ("LRANGE", key, 0, -1),
            "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
            "set": ("SMEMBERS", key),
        }[kind]
        found += [key.encode(), repr(await connection.ask(*read)).encode()]
    return b"\n".join(found)


async def test_invitation_and_reminder_are_stored_with_the_invite(office: Office) -> None:
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject)
    after = await office.file(file.case.id)
    assert tuple(after.messages.values()) == issued.messages
    invitation, *_ = issued.messages
    assert (invitation.kind, invitation.state, invitation.channel) == (MessageKind.INVITATION, "queued", "sms")
    assert invitation.to_masked == "+86*********78"
    assert opened(office, file, invitation) == (NUMBER, issued.code)
    entry = verify_chain(await office.store.audit(file.case.id), expected_head=after.head)[-1]
    assert (entry.event, entry.details["messages"]) == ("invite.issued", tuple(each.id for each in issued.messages))


async def test_the_client_chooses_language_reminders_and_notice(office: Office) -> None:
    file, (subject,) = await office.case()
    wishes = {"contact": contact("email", MAILBOX), "language": "en", "reminders": False, "result": True}
    issued = await office.send_invite(file, subject, **wishes)
    assert [(each.kind, each.state) for each in issued.messages] == [("invitation", "queued"), ("result", "waiting")]
    assert {(each.channel, each.language) for each in issued.messages} == {("email", "en")}


async def test_messages_come_due_when_they_are_to_go_out(office: Office) -> None:
    office.store.stop_at(1795752000.0)  # noon in China
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject)
    marks = await office.store.ask("ZRANGE", MESSAGES, 0, -1, "WITHSCORES")
    assert {mark.decode(): score for mark, score in marks} == {
        f"{file.case.id}:{each.id}": int(each.due_at * 1000) for each in issued.messages
    }
    assert [each.due_at for each in issued.messages] == [1795752000.0, 1795752000.0 + 22 * 3600]


async def test_a_channel_that_is_not_set_up_is_refused_in_live_mode_only(office: Office) -> None:
    messenger = replace(office.messenger, channels=frozenset({"email"}))
    office = replace(office, messenger=messenger)
    file, (subject,) = await office.case()
    assert await refusal(office.send_invite(file, subject)) == "channel_not_configured"
    assert await messages_of(office, file) == []
    tester, _ = await office.clients.create("tester", mode="test")
    office = replace(office, client=tester)
    file, (subject,) = await office.case()
    await office.send_invite(file, subject)


async def test_a_contact_that_got_enough_gets_no_more_from_whichever_case(office: Office) -> None:
    for _ in range(5):
        file, (subject,) = await office.case()
        await office.send_invite(file, subject)
    file, (subject,) = await office.case()
    assert await refusal(office.send_invite(file, subject)) == "contact_limited"
    assert await messages_of(office, file) == []
    await office.send_invite(file, subject, contact=contact("email", MAILBOX))


async def test_what_is_refused_takes_no_place(office: Office) -> None:
    file, (subject,) = await office.case()
    for _ in range(6):
        assert await refusal(office.send_invite(file, "sub_other")) == "subject_unknown"
    await office.send_invite(file, subject)


async def test_what_may_be_on_its_way_keeps_its_place(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    file, (subject,) = await office.case()

    async def fails(*_: object, **__: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as broken:
        broken.setattr("verify.store.Store.transact", fails)
        for _ in range(5):
            assert await refusal(office.send_invite(file, subject)) == "store_unavailable"
    assert await refusal(office.send_invite(file, subject)) == "contact_limited"


async def test_a_redemption_queues_the_notice_with_a_link_to_object(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify_by((await office.send_invite(file, subject, result=True)).code)
    token = await office.mint(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    notice = next(each for each in await messages_of(office, file) if each.kind is MessageKind.RESULT)
    assert notice.state is MessageState.QUEUED
    to, code = opened(office, file, notice)
    assert to == NUMBER
    assert (await office.disputes.inspect(code)).verified_at is not None
    assert (await office.disputes.report(code)).disputed_at is not None


async def test_a_redemption_that_is_repeated_queues_no_second_notice(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify_by((await office.send_invite(file, subject, result=True)).code)
    token = await office.mint(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    links = (await office.file(file.case.id)).dispute_links
    assert await refusal(office.redemptions.redeem(office.client, token, restate(file, subject))) == (
        "token_already_redeemed"
    )
    assert (await office.file(file.case.id)).dispute_links == links
    assert len(links) == 1


async def test_nobody_is_told_who_was_not_to_be(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify_by((await office.send_invite(file, subject)).code)
    await office.redemptions.redeem(office.client, await office.mint(file, subject), restate(file, subject))
    assert {each.state for each in await messages_of(office, file)} == {MessageState.CANCELLED}
    assert (await office.file(file.case.id)).dispute_links == {}


async def test_neither_contact_nor_link_can_be_read_in_the_store(office: Office) -> None:
    file, (first, second) = await office.case(2)
    codes = [
        (await office.send_invite(file, first, result=True)).code,
        (await office.send_invite(file, second, contact=contact("email", MAILBOX))).code,
    ]
    await office.verify_by(codes[0])
    await office.redemptions.redeem(office.client, await office.mint(file, first), restate(file, first))
    notice = next(each for each in await messages_of(office, file) if each.kind is MessageKind.RESULT)
    codes.append(opened(office, file, notice)[1])
    stored = await everything(office)
    assert notice.id.encode() in stored  # what is looked through is the right place
    for secret in (
        NUMBER,
        NUMBER[1:],
        "13812345678",
        MAILBOX,
        "zhang.sanfeng",
        *(each.split(".")[2] for each in codes),
    ):
        assert secret.encode() not in stored


async def test_what_was_sealed_for_one_message_opens_as_no_other(office: Office) -> None:
    file, (subject,) = await office.case()
    invitation, *rest = (await office.send_invite(file, subject, result=True)).messages
    for other in rest:
        moved = replace(other, to_sealed=invitation.to_sealed, code_sealed=invitation.code_sealed)
        assert await refusal_of(office, file, moved) == "key_damaged"


async def refusal_of(office: Office, file: CaseFile, message: Message) -> str:
    with pytest.raises(VerifyError) as caught:
        opened(office, file, message)
    return caught.value.code


@pytest.mark.parametrize("whole_case", [True, False])
async def test_after_an_erasure_no_copy_of_a_message_opens(office: Office, whole_case: bool) -> None:
    file, (subject,) = await office.case()
    before = await office.send_invite(file, subject, result=True)
    if whole_case:
        await office.erasures.erase_case(file.case.id, actor="operator", reason="operator")
    else:
        await office.erasures.erase_subject(file.case.id, subject, actor="operator")
    for message in before.messages:  # as an append-only file or a backup still has it
        with pytest.raises(Gone):
            opened(office, file, message)
    for message in await messages_of(office, file):
        assert (message.to_masked, message.to_sealed, message.code_sealed) == ("", b"", b"")
        assert message.state is MessageState.CANCELLED


async def test_the_chain_and_the_record_agree(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify_by((await office.send_invite(file, subject, result=True)).code)
    await office.redemptions.redeem(office.client, await office.mint(file, subject), restate(file, subject))
    await office.checkpoints.advance()
    keys = office.keys.rings["checkpoint"].ring.published()
    assert (await audit(office.store, expected_keys=keys)).intact
