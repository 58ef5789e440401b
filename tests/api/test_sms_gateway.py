"""Text messages to a real gateway on loopback."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from receiver import Receiver, receiving
from standardwebhooks import Webhook

from api.settings import Settings, SettingsError
from api.sms_gateway import SmsGateway, open_sms_gateway
from verify.message_texts import Letter
from verify.messages import ACCEPTED, Attempted

HERE = "https://verify.example"
NOW = 1795752000.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

LETTER = Letter(
    id="msg_k3v9x2m7q4t8w6z1",
    to="+8613812345678",
    language="zh",
    subject="请核验身份",
    text='张**您好:"请"核验\n身份 https://verify.example/#code',
    fields={
        "kind": "invitation",
        "name": "张**",
        "requester": "window 1",
        "action": "增加注册资本",
        "link": "https://verify.example/#code",
        "until": "2026年11月26日18:00(北京时间)",
    },
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


def gateway(receiver: Receiver, **settings: Any) -> SmsGateway:
    opened = open_sms_gateway(Settings(public_url=HERE, sms_url=receiver.url, **settings))
    assert opened is not None
    return opened


def file(folder: Path, content: Any) -> Path:
    path = folder / "file"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


async def test_a_message_is_one_post_of_json_with_a_key_of_its_own(receiver: Receiver) -> None:
    assert await gateway(receiver).send(LETTER, now=NOW) == ACCEPTED
    (received,) = receiver.received
    assert json.loads(received.body) == {"id": LETTER.id, "to": LETTER.to, "text": LETTER.text}
    assert received.headers["idempotency-key"] == LETTER.id
    assert received.headers["content-type"] == "application/json"


async def test_the_operator_words_the_body(receiver: Receiver, tmp_path: Path) -> None:
    body = {
        "PhoneNumbers": ["$to"],
        "TemplateCode": "SMS_123",
        "TemplateParam": {"name": "$name", "link": "$link", "what": "$requester: $action, $$5", "n": 1, "ok": True},
        "kind": "$kind",
        "lang": "$language",
        "until": "${until}",
        "id": "$id",
    }
    await gateway(receiver, sms_body=file(tmp_path, body)).send(LETTER, now=NOW)
    assert json.loads(receiver.received[0].body) == {
        "PhoneNumbers": [LETTER.to],
        "TemplateCode": "SMS_123",
        "TemplateParam": {
            "name": "张**",
            "link": "https://verify.example/#code",
            "what": "window 1: 增加注册资本, $5",
            "n": 1,
            "ok": True,
        },
        "kind": "invitation",
        "lang": "zh",
        "until": "2026年11月26日18:00(北京时间)",
        "id": LETTER.id,
    }


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("{", "no JSON"),
        ({"to": "$to", "text": "$txt"}, "txt"),
        ({"to": "$to", "text": "$5"}, r"\$"),
        ({"text": "$text"}, r"\$to"),
        ({"to": "$to"}, r"\$link"),
        ("", "empty"),
    ],
)
def test_a_body_that_cannot_work_stops_the_start(tmp_path: Path, body: Any, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"HEYAN_SMS_BODY.*{hint}") as caught:
        open_sms_gateway(Settings(public_url=HERE, sms_url="https://sms.example", sms_body=file(tmp_path, body)))
    assert caught.value.code == "setting_invalid"


async def test_headers_carry_a_credential(receiver: Receiver, tmp_path: Path) -> None:
    headers = file(tmp_path, {"Authorization": "Bearer hunter2", "X-App": "7"})
    opened = gateway(receiver, sms_headers=headers)
    await opened.send(LETTER, now=NOW)
    assert receiver.received[0].headers["authorization"] == "Bearer hunter2"
    assert receiver.received[0].headers["x-app"] == "7"
    assert "hunter2" not in repr(opened)


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "mine"},
        {"Content-Type": "text/plain"},
        {"X-Bad": "hunter2\r\nX-Other: 1"},
        {"X Bad": "hunter2"},
        {"X-Bad": "密码hunter2"},
        {"X-Bad": ["hunter2"]},
        ["hunter2"],
    ],
)
def test_headers_that_cannot_be_sent_stop_the_start_and_are_not_quoted(tmp_path: Path, headers: Any) -> None:
    with pytest.raises(SettingsError, match="HEYAN_SMS_HEADERS") as caught:
        open_sms_gateway(Settings(public_url=HERE, sms_url="https://sms.example", sms_headers=file(tmp_path, headers)))
    assert "hunter2" not in str(caught.value)


async def test_requests_are_signed_so_that_the_gateway_can_check_them(receiver: Receiver, tmp_path: Path) -> None:
    await gateway(receiver, sms_signing_key=file(tmp_path, SECRET + "\n")).send(LETTER, now=NOW)
    (received,) = receiver.received
    assert received.headers["webhook-timestamp"] == str(int(NOW))
    expected = Webhook(SECRET).sign(LETTER.id, datetime.fromtimestamp(NOW, UTC), received.body.decode())
    assert (received.headers["webhook-id"], received.headers["webhook-signature"]) == (LETTER.id, expected)


@pytest.mark.parametrize(
    "content", ["hunter2", "whsec_", "whsec_hunter2!", "whsec_aHVudGVyMg==", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_a_key_that_is_none_stops_the_start_and_is_not_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError, match="HEYAN_SMS_SIGNING_KEY") as caught:
        open_sms_gateway(
            Settings(public_url=HERE, sms_url="https://sms.example", sms_signing_key=file(tmp_path, content))
        )
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_missing_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEYAN_SMS_HEADERS"):
        open_sms_gateway(Settings(public_url=HERE, sms_url="https://sms.example", sms_headers=tmp_path / "none"))
    with pytest.raises(SettingsError, match="HEYAN_DELIVERY_CA"):
        open_sms_gateway(Settings(public_url=HERE, sms_url="https://sms.example", delivery_ca=tmp_path / "none"))


@pytest.mark.parametrize(
    ("status", "headers", "attempted"),
    [
        (200, {}, ACCEPTED),
        (202, {}, ACCEPTED),
        (302, {"location": "http://127.0.0.1:1/"}, Attempted(reason="failed")),
        (400, {}, Attempted(reason="rejected", final=True)),
        (404, {}, Attempted(reason="rejected", final=True)),
        (409, {}, Attempted(reason="rejected", final=True)),
        (401, {}, Attempted(reason="denied", final=True)),
        (403, {}, Attempted(reason="denied", final=True)),
        (408, {}, Attempted(reason="busy")),
        (429, {"retry-after": "90"}, Attempted(reason="busy", retry_after=90.0)),
        (429, {"retry-after": "Wed, 25 Nov 2026 08:00:00 GMT"}, Attempted(reason="busy")),
        (500, {}, Attempted(reason="failed")),
        (503, {"retry-after": "7"}, Attempted(reason="failed", retry_after=7.0)),
    ],
)
async def test_the_status_says_what_becomes_of_a_message(
    receiver: Receiver, status: int, headers: dict[str, str], attempted: Attempted
) -> None:
    receiver.status, receiver.headers = status, headers
    assert await gateway(receiver).send(LETTER, now=NOW) == attempted


async def test_a_gateway_that_does_not_answer_is_not_waited_for(receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    assert await gateway(receiver, delivery_seconds=0.2).send(LETTER, now=NOW) == Attempted(reason="timeout")


async def test_a_gateway_that_is_not_there_is_unreachable() -> None:
    async with receiving() as gone:
        opened = gateway(gone)
    assert await opened.send(LETTER, now=NOW) == Attempted(reason="unreachable")


async def test_only_a_gateway_of_the_trusted_authority_is_written_to(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for ca, attempted in ((authority, ACCEPTED), (stranger, Attempted(reason="unreachable"))):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(tls)
        async with receiving(tls) as receiver:
            url = receiver.url.replace("http://", "https://")
            opened = open_sms_gateway(Settings(public_url=HERE, sms_url=url, delivery_ca=tmp_path / "ca.pem"))
            assert opened is not None
            assert await opened.send(LETTER, now=NOW) == attempted
            assert len(receiver.received) == (attempted == ACCEPTED)
