"""Mail to a real SMTP server on loopback."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from mail_server import PASSWORD, USER, MailServer, mail_server

from api.mail import Mail, open_mail
from api.settings import Settings, SettingsError
from verify.message_texts import Letter
from verify.messages import ACCEPTED, Attempted

pytestmark = pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")  # of aiosmtpd itself

HERE = "https://verify.example"
NOW = 1795752000.0

LETTER = Letter(
    id="msg_k3v9x2m7q4t8w6z1",
    to="zhang@example.com",
    language="zh",
    subject="请核验身份:增加注册资本",
    text="张**,您好:\n\nhttps://verify.example/#" + "x" * 200,
    fields={},
)


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "password").write_text(PASSWORD + "\n", "utf-8")
    return ca


def served_by(ca: trustme.CA) -> ssl.SSLContext:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    return tls


def mail(server: MailServer, **settings: Any) -> Mail:
    known = {
        "public_url": HERE,
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_from": "no-reply@registry.example.cn",
    }
    opened = open_mail(Settings(**{**known, **settings}))
    assert opened is not None
    return opened


async def test_a_message_is_mailed_encrypted_to_who_is_named(authority: trustme.CA, tmp_path: Path) -> None:
    async with mail_server(starttls=served_by(authority), login=True) as server:
        login = {"smtp_user": USER, "smtp_password": tmp_path / "password"}
        opened = mail(server, delivery_ca=tmp_path / "ca.pem", **login)
        assert await opened.send(LETTER, now=NOW) == ACCEPTED
        assert PASSWORD not in repr(opened)
    (received,) = server.received
    assert server.encrypted == [True]
    assert (received["From"], received["To"]) == ("no-reply@registry.example.cn", LETTER.to)
    assert received["Subject"] == LETTER.subject
    assert received["Message-ID"] == f"<{LETTER.id}@registry.example.cn>"
    assert received["Date"].datetime.timestamp() == NOW
    assert received["Auto-Submitted"] == "auto-generated"
    assert received.get_content().replace("\r\n", "\n") == LETTER.text + "\n"


async def test_tls_from_the_first_byte(authority: trustme.CA, tmp_path: Path) -> None:
    async with mail_server(tls=served_by(authority)) as server:
        opened = mail(server, smtp_tls="tls", delivery_ca=tmp_path / "ca.pem")
        assert await opened.send(LETTER, now=NOW) == ACCEPTED
        assert server.encrypted == [True]


async def test_a_server_that_does_not_encrypt_gets_nothing() -> None:
    async with mail_server() as server:
        assert await mail(server).send(LETTER, now=NOW) == Attempted(reason="unsupported")
        assert server.received == []


async def test_a_server_of_another_authority_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    for security in ("starttls", "tls"):
        async with mail_server(**{security: served_by(trustme.CA())}) as server:
            opened = mail(server, smtp_tls=security, delivery_ca=tmp_path / "ca.pem")
            assert await opened.send(LETTER, now=NOW) == Attempted(reason="unreachable")
            assert server.received == []


async def test_on_this_machine_it_may_go_in_clear() -> None:
    async with mail_server() as server:
        assert await mail(server, smtp_tls="none").send(LETTER, now=NOW) == ACCEPTED


@pytest.mark.parametrize(
    ("reply", "attempted"),
    [
        ("550 no such mailbox", Attempted(reason="rejected", final=True)),
        ("452 mailbox full", Attempted(reason="busy")),
    ],
)
async def test_the_reply_says_what_becomes_of_a_message(reply: str, attempted: Attempted) -> None:
    async with mail_server() as server:
        opened = mail(server, smtp_tls="none")
        server.recipient_reply = reply
        assert await opened.send(LETTER, now=NOW) == attempted
        server.recipient_reply, server.data_reply = "250 OK", reply
        assert await opened.send(LETTER, now=NOW) == attempted


async def test_a_wrong_password_is_told_apart(authority: trustme.CA, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong", "utf-8")
    async with mail_server(starttls=served_by(authority), login=True) as server:
        login = {"smtp_user": USER, "smtp_password": tmp_path / "password"}
        opened = mail(server, delivery_ca=tmp_path / "ca.pem", **login)
        assert await opened.send(LETTER, now=NOW) == Attempted(reason="denied", final=True)


async def test_a_server_that_does_not_answer_is_not_waited_for() -> None:
    async with mail_server() as server:
        server.hold = asyncio.Event()
        opened = mail(server, smtp_tls="none", delivery_seconds=0.3)
        assert await opened.send(LETTER, now=NOW) == Attempted(reason="timeout")


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with mail_server() as gone:
        opened = mail(gone, smtp_tls="none")
    assert await opened.send(LETTER, now=NOW) == Attempted(reason="unreachable")


def test_an_address_that_is_none_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="HEYAN_SMTP_FROM"):
        open_mail(Settings(public_url=HERE, smtp_host="127.0.0.1", smtp_from="registry"))
