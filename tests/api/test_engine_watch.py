"""A service whose networks are elsewhere, and gone: clear refusals, nothing burnt, no token; then it goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import httpx
import pytest
from farm_double import HandleDouble, farm_of
from running_service import RunningApi, registrant, running_api
from websockets.asyncio.client import ClientConnection, connect

from api.engine_watch import EngineWatch
from api.frames import CaptureFrame, pack_frame
from api.settings import Settings
from benchmarks.phone.online import PROTOCOL, Attempt, Grant, Message, Phone
from benchmarks.phone.person import StillPerson
from benchmarks.registration import Filing
from models.engine import Engine
from models.errors import ModelError
from models.remote.engine import open_remote_engine
from models.remote.serving import Served

GONE = ConnectionError("the cluster is gone")


@pytest.fixture
def handle(engine: Engine) -> HandleDouble:
    return HandleDouble(Served.of(engine))


@pytest.fixture
async def far_api(handle: HandleDouble, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """A service without weights."""
    engine = await asyncio.to_thread(open_remote_engine, farm_of(handle), data_dir=tmp_path, pack="open")
    async with running_api(Settings(data_dir=tmp_path, port=0, workers=2), engine) as running:
        yield running


def phone(api: RunningApi) -> Phone:
    return Phone(http=api.http, actor=StillPerson, rng=Random(1))


async def filed(api: RunningApi, portraits: dict[str, bytes]) -> tuple[Filing, str]:
    """A case, and the code of its person's invite."""
    filing = await api.desk.open(registrant(portraits["person_a_1"]))
    return filing, await api.desk.invite(filing, filing.subjects[0])


async def agreed(api: RunningApi, portraits: dict[str, bytes]) -> tuple[Filing, Grant]:
    filing, code = await filed(api, portraits)
    return filing, await phone(api).agree(code)


def forget(api: RunningApi) -> None:
    """The next question is asked anew."""
    api.services.engine_watch._asked_at = None


async def open_session(api: RunningApi, grant: Grant) -> httpx.Response:
    return await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant.secret}"})


@asynccontextmanager
async def claimed(attempt: Attempt) -> AsyncIterator[tuple[ClientConnection, Message]]:
    async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
        await socket.send(json.dumps({"type": "claim", "secret": attempt.secret}))
        yield socket, await heard(socket)


async def heard(socket: ClientConnection) -> Message:
    async with asyncio.timeout(10):
        message: Message = json.loads(await socket.recv())
    return message


async def test_sessions_are_not_opened_and_no_attempt_is_taken(
    far_api: RunningApi, handle: HandleDouble, portraits: dict[str, bytes]
) -> None:
    _, grant = await agreed(far_api, portraits)
    handle.dead = GONE
    forget(far_api)
    refused = await open_session(far_api, grant)
    assert (refused.status_code, refused.json()["code"]) == (503, "engine_unavailable")
    assert refused.headers["retry-after"] == "5"
    assert str(GONE) not in refused.json()["detail"]
    assert far_api.services.live.admission.taken == 0
    handle.dead = None
    forget(far_api)
    assert (await open_session(far_api, grant)).json()["attempts_left"] == 2


async def test_a_session_is_not_claimed_and_can_be_later(
    far_api: RunningApi, handle: HandleDouble, portraits: dict[str, bytes]
) -> None:
    _, grant = await agreed(far_api, portraits)
    attempt = await phone(far_api).open(grant)
    handle.dead = GONE
    forget(far_api)
    async with claimed(attempt) as (_, told):
        assert (told["type"], told["code"], told["retry_after"]) == ("problem", "engine_unavailable", 5.0)
    handle.dead = None
    forget(far_api)
    async with claimed(attempt) as (_, told):
        assert told["type"] == "claimed"


async def test_a_session_that_runs_ends_as_interrupted(
    far_api: RunningApi, handle: HandleDouble, portraits: dict[str, bytes]
) -> None:
    filing, grant = await agreed(far_api, portraits)
    attempt = await phone(far_api).open(grant)
    async with claimed(attempt) as (socket, _):
        handle.dead = GONE
        await socket.send(pack_frame(CaptureFrame(nonce="", seq=0, client_ms=0, jpeg=portraits["person_a_1"])))
        told = await heard(socket)
    assert (told["type"], told["code"], told["retry_after"]) == ("problem", "engine_unavailable", 5.0)
    state = await far_api.http.get(
        f"/v1/sessions/{attempt.session_id}", headers={"Authorization": f"Bearer {attempt.secret}"}
    )
    assert (state.json()["outcome"], state.json()["reason"]) == ("retry", "interrupted")
    assert (await far_api.desk.state(filing))["subjects"][0]["state"] == "pending"


async def test_consent_can_be_given_again(
    far_api: RunningApi, handle: HandleDouble, portraits: dict[str, bytes]
) -> None:
    _, code = await filed(far_api, portraits)
    handle.dead = GONE
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await phone(far_api).agree(code)
    assert caught.value.response.json()["code"] == "engine_unavailable"
    handle.dead = None
    assert (await phone(far_api).agree(code)).attempts_left == 3


async def test_readiness_says_what_is_missing(far_api: RunningApi, handle: HandleDouble) -> None:
    ready = await far_api.http.get("/readyz")
    assert ready.status_code == 200
    (models,) = [check for check in ready.json()["checks"] if check["name"] == "models"]
    assert "ray (" in models["detail"]
    handle.dead = GONE
    forget(far_api)
    ready = await far_api.http.get("/readyz")
    assert ready.status_code == 503
    (bad,) = [check for check in ready.json()["checks"] if not check["ok"]]
    assert bad["name"] == "models"
    assert "the cluster is gone" in bad["detail"]


async def test_the_engine_is_asked_once_however_many_want_to_know(engine: Engine) -> None:
    handle = HandleDouble(Served.of(engine))
    far = await asyncio.to_thread(open_remote_engine, farm_of(handle), data_dir=Path("/nowhere"), pack="open")
    before = len(handle.responses)
    handle.dead = GONE
    watch = EngineWatch(far)
    faults = await asyncio.gather(*(watch.fault() for _ in range(20)))
    assert len(handle.responses) == before + 1
    assert {fault.code for fault in faults if fault is not None} == {"engine_unavailable"}
    with pytest.raises(ModelError):
        await watch.require()


async def test_networks_of_this_process_are_there(engine: Engine) -> None:
    assert await EngineWatch(engine).fault() is None
