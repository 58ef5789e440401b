"""Server-sent events of a case, read as a client reads them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from registry_office import CONVINCING
from running_service import RunningApi, registrant, running_api

from api.errors import OverloadedError
from api.settings import Settings
from api.watching import Places
from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing
from models.engine import Engine
from verify.clients import key_id
from verify.identifiers import hash_secret


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Event by event: fields by name, comments under ''."""
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line:
            yield event
            event = {}
        else:
            name, _, value = line.partition(": ")
            event[name.rstrip(":")] = value


async def read_all(api: RunningApi, filing: Filing, **headers: str) -> list[dict[str, str]]:
    """Everything until the stream ends by itself."""
    async with (
        asyncio.timeout(10),
        api.http.stream("GET", f"/v1/cases/{filing.id}/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [event async for event in events(answer)]


async def until_admitted(api: RunningApi, filing: Filing) -> list[dict[str, str]]:
    while (await api.http.head(f"/v1/cases/{filing.id}/events")) and api.services.watching.places.taken:
        pass
    return await read_all(api, filing)


async def cancelled(api: RunningApi, filing: Filing) -> None:
    await api.http.post(f"/v1/cases/{filing.id}/cancel", json={"reason": "withdrawn"})


async def test_an_ended_case_is_told_from_its_beginning_to_its_end(api: RunningApi, filing: Filing) -> None:
    await cancelled(api, filing)
    told = await read_all(api, filing)
    assert [event["event"] for event in told] == ["case.opened", "case.cancelled"]
    content = json.loads(told[1]["data"])
    assert (content["id"], content["type"]) == (told[1]["id"], "case.cancelled")
    assert content["data"]["reason"] == "withdrawn"


async def test_what_happens_is_told_as_it_happens(api: RunningApi, filing: Filing) -> None:
    async with (
        asyncio.timeout(10),
        api.http.stream("GET", f"/v1/cases/{filing.id}/events") as answer,
    ):
        following = events(answer)
        assert (await anext(following))["event"] == "case.opened"
        await cancelled(api, filing)
        assert (await anext(following))["event"] == "case.cancelled"
        assert [event async for event in following] == []


async def test_a_stream_continues_after_the_last_event_that_was_seen(api: RunningApi, filing: Filing) -> None:
    await cancelled(api, filing)
    first, second = await read_all(api, filing)
    assert await read_all(api, filing, **{"Last-Event-ID": first["id"]}) == [second]
    assert await read_all(api, filing, **{"Last-Event-ID": second["id"]}) == []


async def test_an_event_of_another_case_is_no_place_to_continue(api: RunningApi, filing: Filing) -> None:
    answer = await api.http.get(f"/v1/cases/{filing.id}/events", headers={"Last-Event-ID": "evt_x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "event_unknown")


async def test_only_its_own_client_may_watch_a_case(api: RunningApi, filing: Filing) -> None:
    _, key = await api.services.clients.create("window 2", mode="live")
    headers = {"Authorization": f"Bearer {key}"}
    answer = await api.http.get(f"/v1/cases/{filing.id}/events", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "case_unknown")
    unknown = await api.http.get("/v1/cases/case_x/events")
    assert unknown.status_code == 404


async def test_places_are_counted_and_given_back(
    engine: Engine,
    api_store_url: str,
    shared_home: Path,
    portraits: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)  # a client that left is noticed by the next comment
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, event_streams=1)
    async with running_api(settings, engine) as api:
        filing = await api.desk.open(registrant(portraits["person_a_1"]))
        path = f"/v1/cases/{filing.id}/events"
        async with api.http.stream("GET", path) as answer:
            following = events(answer)  # the stream is closed with its last reader
            await anext(following)
            refused = await api.http.get(path)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        while (await api.http.get("/healthz")) and api.services.watching.places.taken:
            pass
        await cancelled(api, filing)
        assert len(await read_all(api, filing)) == 2


def test_a_client_that_opens_many_streams_leaves_places_to_others() -> None:
    places, taken = Places(100), dict[str, int]()
    with ExitStack() as held:
        for client in ("cli_a", "cli_b", "cli_c"):
            with suppress(OverloadedError):
                while True:
                    held.enter_context(places.one(client))
                    taken[client] = taken.get(client, 0) + 1
        assert taken == {"cli_a": 50, "cli_b": 25, "cli_c": 13}
        assert places.taken == 88
    assert places.taken == 0


@pytest.mark.parametrize("limit", range(1, 8))
def test_there_are_no_more_places_than_the_limit(limit: int) -> None:
    places = Places(limit)
    with ExitStack() as held:
        for number in range(3 * limit):
            with suppress(OverloadedError):
                held.enter_context(places.one(f"cli_{number}"))
        assert places.taken == limit


async def test_another_client_gets_a_stream_when_the_first_has_all_of_its_own(
    engine: Engine, api_store_url: str, shared_home: Path, portraits: dict[str, bytes]
) -> None:
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, event_streams=2)
    async with running_api(settings, engine) as api:
        filing = await api.desk.open(registrant(portraits["person_a_1"]))
        path = f"/v1/cases/{filing.id}/events"
        _, key = await api.services.clients.create("window 2", mode="live")
        async with asyncio.timeout(30), api.http.stream("GET", path) as answer:
            following = events(answer)  # kept: dropping it would end the stream
            await anext(following)
            assert (await api.http.get(path)).json()["code"] == "overloaded"
            other = await api.http.get(path, headers={"Authorization": f"Bearer {key}"})
            assert (other.status_code, other.json()["code"]) == (404, "case_unknown")  # it had a place
            api.services.live.admission.draining = True


async def test_a_stream_ends_soon_after_its_key_was_revoked(api: RunningApi, filing: Filing) -> None:
    client = await api.services.clients.authenticate(api.http.headers["Authorization"].removeprefix("Bearer "))
    _, key = await api.services.clients.add_key(client.id)
    path, headers = f"/v1/cases/{filing.id}/events", {"Authorization": f"Bearer {key}"}
    async with (
        asyncio.timeout(10),
        api.http.stream("GET", path) as answer,
        api.http.stream("GET", path, headers=headers) as revoked,
    ):
        following, ending = events(answer), events(revoked)
        assert (await anext(ending))["event"] == (await anext(following))["event"] == "case.opened"
        await api.services.clients.revoke(key_id(hash_secret(key)))
        assert [event async for event in ending] == []
        await cancelled(api, filing)
        assert (await anext(following))["event"] == "case.cancelled"  # the other key's goes on


async def test_a_replica_that_stops_ends_its_streams(api: RunningApi, filing: Filing) -> None:
    async with (
        asyncio.timeout(10),
        api.http.stream("GET", f"/v1/cases/{filing.id}/events") as answer,
    ):
        following = events(answer)
        await anext(following)
        api.services.live.admission.draining = True
        assert [event async for event in following] == []


async def test_silence_is_filled_with_comments(
    api: RunningApi, filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    async with (
        asyncio.timeout(10),
        api.http.stream("GET", f"/v1/cases/{filing.id}/events") as answer,
    ):
        following = events(answer)
        await anext(following)
        assert await anext(following) == {"": "ping"}


async def test_a_verification_is_told_without_names(api: RunningApi, filing: Filing) -> None:
    phone = Phone(http=api.http, actor=Actor, rng=None)
    opened = await phone.open(await phone.agree(await api.desk.invite(filing, filing.subjects[0])))
    claim = await api.services.sessions.claim(opened.session_id, opened.secret)
    await api.services.sessions.finish(claim, CONVINCING)
    await cancelled(api, filing)
    told = await read_all(api, filing)
    assert [event["event"] for event in told] == [
        "case.opened",
        "subject.consented",
        "subject.verified",
        "verification.revoked",
        "case.cancelled",
    ]
    assert "张" not in str(told)
