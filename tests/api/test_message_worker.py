"""Messages on their way to a real gateway and a real mail server on loopback; the store's clock is moved by hand."""

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from mail_server import MailServer, mail_server
from receiver import Receiver, receiving
from registry_office import NUMBER, ClockedStore, Office, agreement, open_office, restate
from structlog import get_logger
from valkey_process import kill_and_start

from api.delivery import delivering
from api.logs import configure_logs
from api.message_worker import MessageWorker
from api.metrics import Metrics
from api.senders import open_senders
from api.settings import Settings
from verify.casefile import CaseFile, MessageState
from verify.connection import connect
from verify.contact_limits import ContactLimits
from verify.contacts import contact
from verify.dispatch import LEASE_SECONDS, Dispatch
from verify.embedded import EmbeddedValkey
from verify.identity_documents import CIVIL_TIME
from verify.messages import RETRY_SECONDS

HERE = "https://verify.example"
MAILBOX = "zhang.sanfeng@example.com"
NOON = (datetime.now(CIVIL_TIME) + timedelta(days=1)).replace(hour=12, minute=0).timestamp()
"""Tomorrow's, in China: the clock in tests that mind the time of day. It must be ahead of the store's own."""


def worker_of(office: Office, store: ClockedStore, settings: Settings) -> MessageWorker:
    return MessageWorker(
        store=store,
        dispatch=Dispatch(store=store, vault=office.keys.vault),
        limits=ContactLimits(store=store, vault=office.keys.vault, per_hour=5, per_day=10),
        senders=open_senders(settings),
        link_url="https://verify.example/",
        report_url="https://verify.example/report",
        jitter=lambda: 0.0,
        metrics=Metrics(),
        log=get_logger("test"),
    )


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
async def office(api_store_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with ClockedStore(connect(api_store_url), prefix=prefix) as store:
        yield await open_office(store, tmp_path)


@pytest.fixture
async def gateway() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
def servers(gateway: Receiver, mail: MailServer) -> tuple[Receiver, MailServer]:
    return gateway, mail


@pytest.fixture
def settings(gateway: Receiver, mail: MailServer) -> Settings:
    return Settings(
        public_url=HERE,
        sms_url=gateway.url,
        smtp_host="127.0.0.1",
        smtp_port=mail.port,
        smtp_tls="none",
        smtp_from="no-reply@registry.example.cn",
    )


@pytest.fixture
def worker(office: Office, settings: Settings) -> MessageWorker:
    return worker_of(office, office.store, settings)


@pytest.fixture
async def replica(api_store_url: str, prefix: str, office: Office, settings: Settings) -> AsyncIterator[MessageWorker]:
    """Another process of the service, or the same one after a restart."""
    async with ClockedStore(connect(api_store_url), prefix=prefix) as store:
        yield worker_of(office, store, settings)


async def invited(office: Office, **changes: object) -> tuple[CaseFile, str, str]:
    """A case, its person and the link that is to be sent."""
    file, (subject,) = await office.case()
    issued = await office.send_invite(file, subject, **{"reminders": False, **changes})
    return file, subject, issued.code


async def standing(office: Office, file: CaseFile) -> list[tuple[str, str, str | None]]:
    found = (await office.file(file.case.id)).messages.values()
    return [(each.kind.value, each.state.value, each.reason) for each in found]


async def told(office: Office, file: CaseFile) -> list[str]:
    return [each.type for each in await office.store.notices(file.case.id) if each.type.startswith("message.")]


async def patiently() -> AsyncIterator[None]:
    """Again and again, for ten seconds at the most."""
    for _ in range(1000):
        yield
        await asyncio.sleep(0.01)
    raise TimeoutError


async def sent(office: Office, file: CaseFile) -> None:
    async for _ in patiently():
        if await standing(office, file) == [("invitation", "sent", None)]:
            break


async def test_an_invitation_reaches_the_phone_with_its_link(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, _, code = await invited(office)
    assert await worker.turn() == 1
    (received,) = gateway.received
    content = json.loads(received.body)
    assert content["to"] == NUMBER
    assert f"https://verify.example/#{code} " in content["text"]
    assert content["text"].startswith("张**您好")
    assert await standing(office, file) == [("invitation", "sent", None)]
    assert await told(office, file) == ["message.sent"]
    assert await worker.turn() == 0


async def test_an_invitation_reaches_the_mailbox_in_the_language_that_was_asked_for(
    worker: MessageWorker, office: Office, mail: MailServer
) -> None:
    _, _, code = await invited(office, contact=contact("email", MAILBOX), language="en")
    await worker.turn()
    (received,) = mail.received
    assert received["To"] == MAILBOX
    assert "increase the registered capital" in received["Subject"]
    assert f"https://verify.example/#{code}" in received.get_content()
    assert "张三丰" not in received.get_content()


async def test_what_was_done_in_somebodys_name_reaches_them_with_a_link_to_object(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, subject, code = await invited(office, result=True)
    await worker.turn()
    await office.verify_by(code)
    await office.redemptions.redeem(office.client, await office.mint(file, subject), restate(file, subject))
    await worker.turn()
    invitation, result = (json.loads(each.body)["text"] for each in gateway.received)
    assert "请您本人核验身份" in invitation
    assert "如非本人操作" in result
    report = result.split("https://verify.example/report#")[1].split()[0]
    assert (await office.disputes.report(report)).disputed_at is not None
    assert await standing(office, file) == [("invitation", "sent", None), ("result", "sent", None)]


async def test_a_gateway_that_is_down_gets_it_when_it_is_up_again(
    office: Office, worker: MessageWorker, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    worker = replace(
        worker, senders=open_senders(settings.model_copy(update={"sms_url": f"http://127.0.0.1:{port}/sms"}))
    )
    file, _, _ = await invited(office)
    await worker.turn()
    assert await standing(office, file) == [("invitation", "queued", "unreachable")]
    async with receiving(port=port) as gateway:
        assert await worker.turn() == 0
        office.store.advance(RETRY_SECONDS[0] + 1)
        assert await worker.turn() == 1
        assert len(gateway.received) == 1
    assert await standing(office, file) == [("invitation", "sent", None)]
    assert await told(office, file) == ["message.sent"]


async def test_a_restart_between_storing_and_sending_loses_nothing(
    worker: MessageWorker, replica: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, _, code = await invited(office)
    await worker.dispatch.lease(now=await office.store.now(), limit=10)  # and then it dies
    assert await replica.turn() == 0
    replica.store.advance(LEASE_SECONDS + 1)
    assert await replica.turn() == 1
    assert code in json.loads(gateway.received[0].body)["text"]
    assert await standing(office, file) == [("invitation", "sent", None)]


async def test_a_store_that_is_killed_between_storing_and_sending_loses_nothing(
    settings: Settings, gateway: Receiver, tmp_path: Path
) -> None:
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    try:
        async with ClockedStore(connect(embedded.url)) as store:
            office = await open_office(store, tmp_path)
            file, _, code = await invited(office, result=True)
        await kill_and_start(embedded)
        async with ClockedStore(connect(embedded.url)) as store:
            office = replace(office, store=store)
            assert await worker_of(office, store, settings).turn() == 1
            assert await standing(office, file) == [("invitation", "sent", None), ("result", "waiting", None)]
    finally:
        await embedded.close()
    assert code in json.loads(gateway.received[0].body)["text"]


async def test_what_is_sent_twice_has_the_same_key(
    worker: MessageWorker, replica: MessageWorker, office: Office, gateway: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await invited(office)

    async def dies(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as dying:  # after the gateway has it, before that is on record
        dying.setattr(Dispatch, "settle", dies)
        with pytest.raises(RuntimeError):
            await worker.turn()
    replica.store.advance(LEASE_SECONDS + 1)
    await replica.turn()
    first, second = gateway.received
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


async def test_two_replicas_send_once(
    worker: MessageWorker, replica: MessageWorker, office: Office, gateway: Receiver
) -> None:
    for last in range(6):
        await invited(office, contact=contact("sms", f"+861381234567{last}"))
    sent = await asyncio.gather(worker.turn(), replica.turn())
    sent += await asyncio.gather(worker.turn(), replica.turn())
    assert sum(sent) == 6
    assert len({each.headers["idempotency-key"] for each in gateway.received}) == len(gateway.received) == 6


async def test_a_refusal_for_good_is_told_and_not_repeated(
    worker: MessageWorker, office: Office, gateway: Receiver, mail: MailServer
) -> None:
    gateway.status, mail.recipient_reply = 422, "550 no such mailbox"
    files = [(await invited(office))[0], (await invited(office, contact=contact("email", MAILBOX)))[0]]
    await worker.turn()
    office.store.advance(3600)
    assert await worker.turn() == 0
    for file in files:
        assert await standing(office, file) == [("invitation", "undeliverable", "rejected")]
        assert await told(office, file) == ["message.undeliverable"]
    assert (len(gateway.received), len(mail.received)) == (1, 0)


async def test_a_gateway_that_asks_for_time_gets_it(worker: MessageWorker, office: Office, gateway: Receiver) -> None:
    file, _, _ = await invited(office)
    gateway.status, gateway.headers = 429, {"retry-after": "900"}
    await worker.turn()
    office.store.advance(890)
    assert await worker.turn() == 0
    gateway.status = 200
    office.store.advance(901)
    assert await worker.turn() == 1
    assert await standing(office, file) == [("invitation", "sent", None)]


async def test_a_gateway_that_never_comes_back_is_given_up_when_the_link_ends(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, _, _ = await invited(office)
    gateway.status = 500
    start = await office.store.now()
    while (await standing(office, file))[0][1] == "queued":
        (message,) = (await office.file(file.case.id)).messages.values()
        office.store.stop_at((message.due_at or start) + 1)
        await worker.turn()
    assert await standing(office, file) == [("invitation", "undeliverable", "failed")]
    assert len(gateway.received) <= len(RETRY_SECONDS) + 1


async def test_a_channel_that_was_taken_away_is_waited_for(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, _, _ = await invited(office)
    await replace(worker, senders={}).turn()
    assert await standing(office, file) == [("invitation", "queued", "not_configured")]
    office.store.advance(RETRY_SECONDS[0] + 1)
    await worker.turn()
    assert await standing(office, file) == [("invitation", "sent", None)]


# Reminders


async def test_who_has_not_verified_is_reminded_once(worker: MessageWorker, office: Office, gateway: Receiver) -> None:
    office.store.stop_at(NOON)
    file, _, code = await invited(office, reminders=True)
    await worker.turn()
    office.store.stop_at(NOON + 21.9 * 3600)
    assert await worker.turn() == 0
    office.store.stop_at(NOON + 22 * 3600)
    assert await worker.turn() == 1
    office.store.stop_at(NOON + 23 * 3600)
    assert await worker.turn() == 0
    _, reminder = (json.loads(each.body)["text"] for each in gateway.received)
    assert reminder.startswith("提醒")
    assert code in reminder
    assert await standing(office, file) == [("invitation", "sent", None), ("reminder", "sent", None)]


@pytest.mark.parametrize("agreed", [True, False])
async def test_who_has_verified_or_declined_is_left_alone(
    worker: MessageWorker, office: Office, gateway: Receiver, agreed: bool
) -> None:
    office.store.stop_at(NOON)
    file, _, code = await invited(office, reminders=True)
    await worker.turn()
    if agreed:
        await office.verify_by(code)
    else:
        await office.invites.consent(code, agreement(await office.invites.inspect(code), agreed=False))
    office.store.stop_at(NOON + 22 * 3600)
    await worker.turn()
    assert len(gateway.received) == 1
    assert await standing(office, file) == [("invitation", "sent", None), ("reminder", "cancelled", None)]


async def test_a_reminder_counts_and_is_left_out_for_who_got_enough(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    office.store.stop_at(NOON)
    file, _, _ = await invited(office, reminders=True)
    office.store.stop_at(NOON + 21.5 * 3600)
    for _ in range(5):
        await invited(office)
    office.store.stop_at(NOON + 22 * 3600)
    await worker.turn()
    assert len(gateway.received) == 6
    assert ("reminder", "undeliverable", "contact_limited") in await standing(office, file)


async def test_a_notice_of_the_result_comes_also_to_who_got_enough(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, subject, code = await invited(office, result=True)
    for _ in range(4):
        await invited(office)
    await office.verify_by(code)
    await office.redemptions.redeem(office.client, await office.mint(file, subject), restate(file, subject))
    await worker.turn()
    assert ("result", "sent", None) in await standing(office, file)


# Test mode, secrets, the background


async def test_test_mode_sends_nothing_and_tells_the_same(
    worker: MessageWorker, office: Office, gateway: Receiver, mail: MailServer
) -> None:
    tester, _ = await office.clients.create("tester", mode="test")
    office = replace(office, client=tester)
    for sent in (contact("sms", NUMBER), contact("email", MAILBOX)):
        file, _, _ = await invited(office, contact=sent)
        await worker.turn()
        assert await standing(office, file) == [("invitation", "sent", None)]
        assert await told(office, file) == ["message.sent"]
    for refused in (contact("sms", "+8613812340000"), contact("email", "undeliverable@example.com")):
        file, _, _ = await invited(office, contact=refused)
        await worker.turn()
        assert await standing(office, file) == [("invitation", "undeliverable", "rejected")]
    assert (gateway.received, mail.received) == ([], [])


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What logs have written since this was last asked; they are set up anew afterwards."""
    root, servers = logging.getLogger(), logging.getLogger("mail.log")
    handlers, level = root.handlers[:], root.level
    servers.disabled = True  # the mail server's own
    yield lambda: capsys.readouterr().err
    servers.disabled = False
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_no_log_line_of_whatever_level_has_a_contact_or_a_link(
    worker: MessageWorker,
    office: Office,
    servers: tuple[Receiver, MailServer],
    written: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway, mail = servers
    configure_logs("debug")
    monkeypatch.setattr("api.message_worker.TURN_SECONDS", 0.01)
    by_mail = contact("email", MAILBOX)
    codes = [(await invited(office))[2], (await invited(office, contact=by_mail))[2]]
    await worker.turn()
    gateway.status, mail.recipient_reply = 400, "550 no"
    codes += [(await invited(office))[2], (await invited(office, contact=by_mail))[2]]
    await worker.turn()
    codes.append((await invited(office))[2])
    monkeypatch.setattr("api.sms_gateway.SmsGateway.request", _fault)
    logged = list[str]()
    async with delivering(worker):
        async for _ in patiently():
            logged.append(written())
            if "messages_failed" in logged[-1]:
                break
    found = "".join([*logged, written()])
    assert (len(gateway.received), len(mail.received)) == (2, 1)
    assert "HTTP Request" not in found
    assert "RuntimeError" in found
    for secret in ("13812345678", MAILBOX, "zhang.sanfeng", *(code.split(".")[2] for code in codes)):
        assert secret not in found


def _fault(self: Any, letter: Any, *, now: float) -> None:
    raise RuntimeError(f"cannot write to {letter.to}: {letter.text}")


async def test_the_worker_sends_in_the_background_and_slow_ones_keep_nobody_waiting(
    worker: MessageWorker, office: Office, gateway: Receiver, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.message_worker.TURN_SECONDS", 0.01)
    gateway.hold = asyncio.Event()
    slow, _, _ = await invited(office)
    async with delivering(worker):
        await gateway.arrived.wait()
        file, _, _ = await invited(office, contact=contact("email", MAILBOX))
        await sent(office, file)
        assert await standing(office, slow) == [("invitation", "queued", None)]
        gateway.hold.set()
        await sent(office, slow)
    assert len(mail.received) == 1


async def test_erased_before_it_was_sent_is_never_sent(
    worker: MessageWorker, office: Office, gateway: Receiver
) -> None:
    file, subject, _ = await invited(office, reminders=True, result=True)
    await office.erasures.erase_subject(file.case.id, subject, actor="operator")
    office.store.advance(86000)
    await worker.turn()
    assert gateway.received == []
    assert {state for _, state, _ in await standing(office, file)} == {MessageState.CANCELLED}
