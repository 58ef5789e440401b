"""Links that the service sends itself, as a client asks for them over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import randbelow
from typing import Any
from uuid import uuid4

import httpx
import pytest
from receiver import Receiver, receiving
from running_service import RunningApi, registrant, running_api

from api.settings import Settings
from benchmarks.registration import Filing, Registration
from models.engine import Engine

HERE = "https://verify.example"


@pytest.fixture
async def gateway() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def sending(
    engine: Engine, api_store_url: str, shared_keys: Path, tmp_path: Path, gateway: Receiver
) -> AsyncIterator[RunningApi]:
    """A service with a gateway for text messages and no mail server."""
    (tmp_path / "keys").symlink_to(shared_keys)
    settings = Settings(
        data_dir=tmp_path, port=0, store_url=api_store_url, workers=2, public_url=HERE, sms_url=gateway.url
    )
    async with running_api(settings, engine) as running:
        yield running


@pytest.fixture
async def case(sending: RunningApi, portraits: dict[str, bytes]) -> Filing:
    return await sending.desk.open(registrant(portraits["person_a_1"], id_number=f"E{randbelow(10**8):08d}"))


def number() -> str:
    """Somebody else's in each test: contacts are counted across cases."""
    return f"+86138{randbelow(10**8):08d}"


def place(filing: Filing) -> str:
    return f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"


async def invited(api: RunningApi, filing: Filing, to: str, **wishes: Any) -> httpx.Response:
    deliver = {"channel": "sms", "to": to, **wishes}
    return await api.http.post(place(filing), json={"deliver": deliver})


async def messages(api: RunningApi, filing: Filing) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.desk.state(filing))["subjects"][0]["messages"]
    return found


async def sent_to(api: RunningApi, gateway: Receiver, to: str) -> list[dict[str, Any]]:
    """What the gateway has for a contact, once everything that is due was sent."""
    while await api.services.message_worker.turn():
        pass
    return [content for each in gateway.received if (content := json.loads(each.body))["to"] == to]


async def test_a_link_is_sent_and_the_case_tells_how_far_it_is(
    sending: RunningApi, case: Filing, gateway: Receiver
) -> None:
    to = number()
    answer = await invited(sending, case, to, language="en", result=True)
    assert answer.status_code == 201
    asked = answer.json()["messages"]
    assert [(each["kind"], each["state"]) for each in asked][::2] == [("invitation", "queued"), ("result", "waiting")]
    assert {each["to_masked"] for each in asked} == {f"+86*********{to[-2:]}"}
    assert to not in answer.text
    (content,) = await sent_to(sending, gateway, to)
    assert answer.json()["url"] in content["text"]
    assert sending.services.public_url in content["text"]
    invitation, *_ = await messages(sending, case)
    assert (invitation["state"], invitation["attempts"], invitation["reason"]) == ("sent", 1, None)
    assert invitation["sent_at"] is not None
    assert invitation["id"] == content["id"]


async def test_without_a_wish_nothing_is_sent(sending: RunningApi, case: Filing) -> None:
    for content in (None, {}, {"deliver": None}):
        answer = await sending.http.post(place(case), json=content)
        assert (answer.status_code, answer.json()["messages"]) == (201, [])
    assert await messages(sending, case) == []


async def test_a_request_that_is_repeated_sends_once(sending: RunningApi, case: Filing, gateway: Receiver) -> None:
    to, headers = number(), {"Idempotency-Key": str(uuid4())}
    body = {"deliver": {"channel": "sms", "to": to, "reminders": False}}
    answers = [await sending.http.post(place(case), json=body, headers=headers) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert len(await sent_to(sending, gateway, to)) == 1


@pytest.mark.parametrize("to", ["13812345670", "+8621123", "not a number"])
async def test_a_contact_that_is_none_is_refused_and_not_quoted(sending: RunningApi, case: Filing, to: str) -> None:
    answer = await invited(sending, case, to)
    assert (answer.status_code, answer.json()["code"]) == (422, "contact_invalid")
    assert to not in answer.text
    assert await messages(sending, case) == []


async def test_a_wish_that_is_malformed_is_refused_and_not_quoted(sending: RunningApi, case: Filing) -> None:
    for wishes in ({"channel": "pigeon"}, {"language": "fr"}, {"to": "+" * 300}, {"when": "now"}):
        answer = await invited(sending, case, **{"to": number(), **wishes})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
        assert "+++" not in answer.text


async def test_a_channel_that_is_not_set_up_is_refused_with_what_to_do(sending: RunningApi, case: Filing) -> None:
    answer = await invited(sending, case, "zhang@example.com", channel="email")
    assert (answer.status_code, answer.json()["code"]) == (422, "channel_not_configured")
    assert "HEYAN_SMTP_HOST" in answer.json()["detail"]


async def test_nobody_is_flooded(sending: RunningApi, case: Filing) -> None:
    to = number()
    answers = [await invited(sending, case, to) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]
    assert answers[-1].json()["code"] == "contact_limited"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert (await sending.http.post(place(case))).status_code == 201


async def test_test_mode_goes_the_same_way_and_sends_nothing(
    sending: RunningApi, gateway: Receiver, portraits: dict[str, bytes]
) -> None:
    _, key = await sending.services.clients.create("tester", mode="test")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=sending.http.base_url, headers=headers, timeout=20) as http:
        api = RunningApi(http, sending.services)
        filing = await Registration(http).open(registrant(portraits["person_a_1"]))
        to = f"zhang{randbelow(10**8)}@example.com"
        answer = await invited(api, filing, to, channel="email", reminders=False)
        assert answer.status_code == 201
        assert await sent_to(api, gateway, to) == []
        assert [each["state"] for each in await messages(api, filing)] == ["sent"]


async def test_a_link_that_the_service_sends_leads_back_too(sending: RunningApi, case: Filing) -> None:
    to, way = number(), "https://registry.example/filings/7"
    wishes = {"deliver": {"channel": "sms", "to": to}, "return_url": way}
    refused = await sending.http.post(place(case), json=wishes)
    assert (refused.json()["code"], await messages(sending, case)) == ("return_url_refused", [])
    client = await sending.services.clients.authenticate(sending.http.headers["Authorization"].removeprefix("Bearer "))
    await sending.services.clients.let_return_to(client.id, ["https://registry.example"])
    issued = (await sending.http.post(place(case), json=wishes)).json()
    seen = await sending.http.post("/v1/invites/inspect", json={"code": issued["code"]})
    assert (seen.json()["return_url"], len(issued["messages"]) > 0) == (way, True)
