"""Webhooks over HTTP, with a receiver on loopback and a key of test mode."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from receiver import Receiver, receiving
from running_service import RunningApi, running_api
from standardwebhooks import Webhook

from api.settings import Settings
from models.engine import Engine


@pytest.fixture
async def open_api(engine: Engine, api_store_url: str, shared_home: Path) -> AsyncIterator[RunningApi]:
    """A service that may send to loopback."""
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, webhook_private_addresses=True)
    async with running_api(settings, engine) as running:
        _, key = await running.services.clients.create("window 1", mode="test")
        running.http.headers["authorization"] = f"Bearer {key}"
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def registered(api: RunningApi, url: str) -> dict[str, str]:
    answer = await api.http.post("/v1/webhooks", json={"url": url})
    assert answer.status_code == 201
    return answer.json()


async def test_a_secret_is_shown_once(open_api: RunningApi, receiver: Receiver) -> None:
    made = await registered(open_api, receiver.url)
    listed = (await open_api.http.get("/v1/webhooks")).json()["webhooks"]
    one = (await open_api.http.get(f"/v1/webhooks/{made['id']}")).json()
    assert made.pop("secret").startswith("whsec_")
    assert listed == [made]
    assert one == made
    assert (one["state"], one["types"]) == ("enabled", [])


async def test_a_test_arrives_and_its_delivery_tells_so(open_api: RunningApi, receiver: Receiver) -> None:
    made = await registered(open_api, receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    asked = await open_api.http.post(f"{path}/test")
    assert (asked.status_code, asked.json()["state"]) == (202, "pending")
    while not receiver.received:  # other tests share the store's queue
        await open_api.services.delivery_worker.turn()
    (received,) = receiver.received
    assert Webhook(made["secret"]).verify(received.body, received.headers)["type"] == "webhook.test"
    (delivery,) = (await open_api.http.get(f"{path}/deliveries")).json()["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["last"]["status"]) == ("delivered", 1, 204)
    assert delivery["notice"] == received.headers["webhook-id"]


async def test_a_rotated_secret_is_a_new_one(open_api: RunningApi, receiver: Receiver) -> None:
    made = await registered(open_api, receiver.url)
    rotated = (await open_api.http.post(f"/v1/webhooks/{made['id']}/rotate")).json()
    assert rotated["secret"] != made["secret"]


async def test_a_deleted_webhook_is_unknown(open_api: RunningApi, receiver: Receiver) -> None:
    made = await registered(open_api, receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    assert (await open_api.http.delete(path)).status_code == 204
    for answer in [await open_api.http.get(path), await open_api.http.delete(path)]:
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_unknown")


async def test_another_client_sees_none(open_api: RunningApi, receiver: Receiver) -> None:
    made = await registered(open_api, receiver.url)
    _, key = await open_api.services.clients.create("window 2", mode="test")
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("", "/deliveries"):
        answer = await open_api.http.get(f"/v1/webhooks/{made['id']}{path}", headers=headers)
        assert answer.json()["code"] == "webhook_unknown"
    assert (await open_api.http.get("/v1/webhooks", headers=headers)).json() == {"webhooks": []}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "https://127.0.0.1/"}, "webhook_url_refused"),
        ({"url": "https://localhost/"}, "webhook_url_refused"),
        ({"url": "https://[::1]/"}, "webhook_url_refused"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "webhook_url_refused"),
        ({"url": "file:///etc/passwd"}, "webhook_url_invalid"),
        ({"url": "registry.example"}, "webhook_url_invalid"),
        ({}, "request_invalid"),
        ({"url": "https://registry.example", "colour": 1}, "request_invalid"),
    ],
)
async def test_a_webhook_that_leads_inside_or_nowhere_is_refused(
    api: RunningApi, body: dict[str, object], code: str
) -> None:
    answer = await api.http.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_types_that_do_not_exist_name_those_that_do(open_api: RunningApi, receiver: Receiver) -> None:
    answer = await open_api.http.post("/v1/webhooks", json={"url": receiver.url, "types": ["case.exploded"]})
    assert answer.json()["code"] == "notice_type_unknown"
    assert "case.completed" in answer.json()["detail"]


async def test_webhooks_need_an_api_key(api: RunningApi) -> None:
    answer: httpx.Response = await api.http.get("/v1/webhooks", headers={"Authorization": ""})
    assert answer.json()["code"] == "key_missing"
