"""`heyan delivery try` against a gateway and a mail server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from mail_server import mail_server
from receiver import Receiver, receiving
from typer.testing import CliRunner, Result

from api.cli import app


@pytest.fixture(autouse=True)
def _public_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_PUBLIC_URL", "https://verify.example")


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    async with receiving() as running:
        monkeypatch.setenv("HEYAN_SMS_URL", running.url)
        yield running


async def tried(contact: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["delivery", "try", contact])


async def test_a_gateway_that_works_says_so(gateway: Receiver) -> None:
    result = await tried("+8613812345678")
    assert (result.exit_code, result.stdout) == (0, "sms: accepted\n")
    assert json.loads(gateway.received[0].body)["to"] == "+8613812345678"


async def test_a_gateway_that_refuses_is_told_by_its_reason(gateway: Receiver) -> None:
    gateway.status = 401
    result = await tried("+8613812345678")
    assert result.exit_code == 1
    assert "denied" in result.stderr


async def test_a_mail_server_that_works_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server() as server:
        for name, value in {
            "HOST": "127.0.0.1",
            "PORT": str(server.port),
            "TLS": "none",
            "FROM": "a@example.cn",
        }.items():
            monkeypatch.setenv(f"HEYAN_SMTP_{name}", value)
        result = await tried("zhang@example.com")
        assert (result.exit_code, result.stdout) == (0, "email: accepted\n")
        assert server.received[0]["To"] == "zhang@example.com"


async def test_a_channel_that_is_not_set_up_is_told(gateway: Receiver) -> None:
    result = await tried("zhang@example.com")
    assert result.exit_code == 1
    assert "not_configured" in result.stderr


async def test_a_contact_that_is_none_is_an_error_with_a_code(gateway: Receiver) -> None:
    result = await tried("13812345678")
    assert result.exit_code == 2
    assert "contact_invalid" in result.stderr
