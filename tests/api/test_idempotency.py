"""`Idempotency-Key` over HTTP: what was asked once takes effect once."""

import asyncio
from typing import Any

import pytest
from fastapi.routing import APIRoute
from running_service import RunningApi, registrant, running_api

from api.client_route import ClientRoute
from api.routes import cases, compare, tokens
from api.settings import Settings
from benchmarks.registration import Filing, new_case
from models.engine import Engine
from verify.errors import StoreUnavailable

KEY = {"Idempotency-Key": "0a7b6a2e-6f0e-4c38-9f67-1f6a5fb5d1c1"}


@pytest.fixture
def case_body(portraits: dict[str, bytes]) -> dict[str, Any]:
    return new_case(registrant(portraits["person_a_1"]))


async def test_a_repeated_request_gets_the_first_answer(api: RunningApi, case_body: dict[str, Any]) -> None:
    first = await api.http.post("/v1/cases", json=case_body, headers=KEY)
    again = await api.http.post("/v1/cases", json=case_body, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


async def test_without_a_key_every_request_takes_effect(api: RunningApi, case_body: dict[str, Any]) -> None:
    answers = [(await api.http.post("/v1/cases", json=case_body)).json()["id"] for _ in range(2)]
    assert answers[0] != answers[1]


async def test_requests_at_once_take_effect_once(api: RunningApi, filing: Filing) -> None:
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    answers = await asyncio.gather(*(api.http.post(path, headers=KEY) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["code"] for answer in answers}) == 1
    trail = await api.services.store.audit(filing.id)
    assert len(trail) == 2  # opened, invited once


async def test_another_body_needs_another_key(api: RunningApi, case_body: dict[str, Any]) -> None:
    await api.http.post("/v1/cases", json=case_body, headers=KEY)
    other = await api.http.post("/v1/cases", json={**case_body, "external_id": "2"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_a_refusal_is_an_answer_too(api: RunningApi, filing: Filing) -> None:
    path, body = f"/v1/cases/{filing.id}/cancel", {"reason": "withdrawn"}
    await api.http.post(path, json=body)
    refused = [await api.http.post(path, json=body, headers=KEY) for _ in range(2)]
    assert [answer.json()["code"] for answer in refused] == ["case_not_open"] * 2
    assert refused[1].headers["idempotent-replayed"] == "true"
    assert refused[1].headers["content-type"] == "application/problem+json"


async def test_a_failure_of_the_service_is_not_kept(
    api: RunningApi, filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = f"/v1/cases/{filing.id}/cancel", {"reason": "withdrawn"}

    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(type(api.services.cases), "cancel", fail)
        failed = await api.http.post(path, json=body, headers=KEY)
    mended = await api.http.post(path, json=body, headers=KEY)
    assert (failed.status_code, mended.status_code) == (503, 200)


async def test_a_first_run_that_takes_too_long_is_not_waited_for_without_end(
    engine: Engine, api_store_url: str, shared_home: Any, case_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, idempotency_wait_seconds=0)
    async with running_api(settings, engine) as api:
        begun, gate = asyncio.Event(), asyncio.Event()
        opening = type(api.services.cases).open

        async def slow(*arguments: Any) -> Any:
            begun.set()
            await gate.wait()
            return await opening(*arguments)

        monkeypatch.setattr(type(api.services.cases), "open", slow)
        first = asyncio.create_task(api.http.post("/v1/cases", json=case_body, headers=KEY))
        await begun.wait()
        second = await api.http.post("/v1/cases", json=case_body, headers=KEY)
        gate.set()
        assert (await first).status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
    assert int(second.headers["retry-after"]) >= 1


@pytest.mark.parametrize("key", ["short", "with space in it"])
async def test_a_key_of_another_form_is_refused(api: RunningApi, case_body: dict[str, Any], key: str) -> None:
    answer = await api.http.post("/v1/cases", json=case_body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")


async def test_a_key_opens_nothing_without_the_api_key(api: RunningApi, case_body: dict[str, Any]) -> None:
    await api.http.post("/v1/cases", json=case_body, headers=KEY)
    answer = await api.http.post("/v1/cases", json=case_body, headers={**KEY, "Authorization": "Bearer hk_live_x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_every_such_answer_may_say_that_it_is_a_repetition(api: RunningApi) -> None:
    openapi = (await api.http.get("/openapi.json")).json()
    opened = openapi["paths"]["/v1/cases"]["post"]["responses"]["201"]
    assert opened["headers"].keys() == {"Idempotent-Replayed"}
    assert opened["content"].keys() == {"application/json"}


async def test_every_post_under_an_api_key_takes_an_idempotency_key(api: RunningApi) -> None:
    openapi = (await api.http.get("/openapi.json")).json()
    posts = {path: methods["post"] for path, methods in openapi["paths"].items() if "post" in methods}
    clients = {path: post for path, post in posts.items() if {"API key": []} in post.get("security", [])}
    without = [
        path
        for path, post in clients.items()
        if "Idempotency-Key" not in {parameter["name"] for parameter in post.get("parameters", [])}
    ]
    assert len(clients) >= 6
    assert without == ["/v1/tokens/introspect"]
    routes = [route for module in (cases, compare, tokens) for route in module.router.routes]
    assert {type(route) for route in routes if isinstance(route, APIRoute)} == {ClientRoute}
