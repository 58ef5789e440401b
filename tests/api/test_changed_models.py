"""Two services on one store, before and after the operator has changed the pack: over HTTP and WebSocket."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random
from secrets import randbelow

import pytest
from running_service import RunningApi, registrant, running_api
from websockets.asyncio.client import connect

from api.settings import Settings
from benchmarks.phone.online import PROTOCOL, Attempt, Grant, Message, Phone
from benchmarks.phone.person import StillPerson
from benchmarks.registration import Filing, new_case
from models.engine import Engine
from verify.policy import load_policy
from verify.reference_contract import OUTDATED

OTHER = load_policy("mobilefacenet-2")


@pytest.fixture
async def renewed(api: RunningApi, engine: Engine, api_store_url: str, shared_home: Path) -> AsyncIterator[RunningApi]:
    """The same installation, started with an embedder of another contract, for which a policy comes."""
    other = replace(engine, embedder=replace(engine.embedder, contract=OTHER.contract))
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, workers=2, live_sessions=4)
    async with running_api(settings, other) as running:
        yield running


@pytest.fixture
async def grant(api: RunningApi, filing: Filing) -> Grant:
    """Of a person who had consented before the change."""
    return await phone(api).agree(await api.desk.invite(filing, filing.subjects[0]))


def phone(api: RunningApi) -> Phone:
    return Phone(http=api.http, actor=StillPerson, rng=Random(1))


async def test_the_policy_for_the_models_in_use_is_in_force(renewed: RunningApi) -> None:
    assert renewed.services.policy.version == OTHER.version


async def test_opening_a_session_asks_for_the_photo_and_the_person_goes_on_with_it(
    api: RunningApi, renewed: RunningApi, filing: Filing, grant: Grant, portraits: dict[str, bytes]
) -> None:
    refused = await renewed.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant.secret}"})
    assert (refused.status_code, refused.json()["code"]) == (409, OUTDATED)
    assert "replace the subject's reference" in refused.json()["detail"]
    (subject,) = (await api.desk.state(filing))["subjects"]
    assert (subject["state"], subject["reference_state"], subject["reference_reason"]) == (
        "pending", "template", OUTDATED,
    )  # fmt: skip
    own = {"Authorization": api.http.headers["Authorization"]}
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}"
    person = registrant(portraits["person_a_1"], id_number=f"E{randbelow(10**8):08d}")
    sent = await renewed.http.put(path, json=new_case(person)["subjects"][0], headers=own)
    assert (sent.status_code, sent.json()["subjects"][0]["reference_reason"]) == (200, None)
    code = (await renewed.http.post(f"{path}/invites", headers=own)).json()["code"]
    attempt = await phone(renewed).open(await phone(renewed).agree(code))
    assert (await first_answer(attempt.stream, attempt))["type"] == "claimed"


async def test_a_replica_with_other_models_refuses_the_claim_and_burns_nothing(
    api: RunningApi, renewed: RunningApi, grant: Grant
) -> None:
    attempt = await phone(api).open(grant)
    elsewhere = attempt.stream.replace(api.websocket_base, renewed.websocket_base)
    assert (await first_answer(elsewhere, attempt))["code"] == OUTDATED
    assert (await first_answer(attempt.stream, attempt))["type"] == "claimed"


async def first_answer(stream: str, attempt: Attempt) -> Message:
    async with connect(stream, subprotocols=[PROTOCOL]) as socket:
        await socket.send(json.dumps({"type": "claim", "secret": attempt.secret}))
        message: Message = json.loads(await socket.recv())
        return message
