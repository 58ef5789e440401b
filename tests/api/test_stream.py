"""The capture protocol over a real WebSocket: what a phone may do wrong, and what comes of it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import cast

import pytest
from numpy.random import default_rng
from registry_office import INTERRUPTED
from running_service import RunningApi, registrant
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

from api.frames import CaptureFrame, pack_frame
from api.live_sessions import RunningSession
from api.messages import ClaimMessage
from api.routes.stream import RecordedConclusion, start_session
from api.stream import CaptureConnection
from benchmarks.phone.casting import living
from benchmarks.phone.online import PROTOCOL, Attempt, Grant, Message, Phone
from benchmarks.phone.person import StillPerson
from benchmarks.registration import Filing
from liveness import script
from verify.fraud import Traces


@pytest.fixture
async def grant(api: RunningApi, filing: Filing) -> Grant:
    return await phone(api).agree(await api.desk.invite(filing, filing.subjects[0]))


@pytest.fixture
async def attempt(api: RunningApi, grant: Grant) -> Attempt:
    return await phone(api).open(grant)


def phone(api: RunningApi) -> Phone:
    return Phone(http=api.http, actor=StillPerson, rng=Random(1))


@asynccontextmanager
async def claimed(attempt: Attempt) -> AsyncIterator[ClientConnection]:
    async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
        await say(socket, type="claim", secret=attempt.secret)
        assert (await hear(socket))["type"] == "claimed"
        yield socket


async def say(socket: ClientConnection, **message: str) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> Message:
    async with asyncio.timeout(10):
        message: Message = json.loads(await socket.recv())
    return message


async def last(socket: ClientConnection) -> Message:
    while (message := await hear(socket))["type"] not in {"result", "problem"}:
        pass
    return message


def frame(jpeg: bytes, *, seq: int = 0, nonce: str = "") -> bytes:
    return pack_frame(CaptureFrame(nonce=nonce, seq=seq, client_ms=0, jpeg=jpeg))


async def test_a_session_runs_once(attempt: Attempt) -> None:
    async with claimed(attempt), connect(attempt.stream, subprotocols=[PROTOCOL]) as second:
        await say(second, type="claim", secret=attempt.secret)
        assert (await hear(second))["code"] == "session_already_claimed"


async def test_of_many_claims_at_once_one_wins(attempt: Attempt) -> None:
    async def claim() -> str:
        async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
            await say(socket, type="claim", secret=attempt.secret)
            return str((await hear(socket))["type"])

    answers = await asyncio.gather(*(claim() for _ in range(4)))
    assert sorted(answers) == ["claimed", "problem", "problem", "problem"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"type":"cheat"}', "message_unknown"),
        ("hello", "message_malformed"),
        ('{"type":"claim","secret":"x"}', "message_unexpected"),
        (b"\0" * 5_000_000, "frame_too_large"),
        (b"short", "frame_malformed"),
        (frame(b"this is text, no picture"), "image_unsupported"),
        (frame(b"\xff\xd8\xff\xe0" + b"\0" * 50), "image_unsupported"),
    ],
)
async def test_a_broken_rule_ends_the_attempt_with_a_code(attempt: Attempt, message: str | bytes, code: str) -> None:
    async with claimed(attempt) as socket:
        await socket.send(message)
        told = await last(socket)
    assert (told["type"], told["code"]) == ("problem", code)
    assert told["detail"]


async def test_a_broken_rule_costs_the_attempt_and_verifies_nobody(
    api: RunningApi, filing: Filing, attempt: Attempt
) -> None:
    async with claimed(attempt) as socket:
        await socket.send("hello")
        await last(socket)
    state = await api.http.get(
        f"/v1/sessions/{attempt.session_id}", headers={"Authorization": f"Bearer {attempt.secret}"}
    )
    assert (state.json()["state"], state.json()["outcome"], state.json()["attempts_left"]) == ("finished", "retry", 2)
    assert (await api.desk.state(filing))["subjects"][0]["state"] == "pending"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"type":"claim","secret":"wrong"}', "session_secret_invalid"),
        ('{"type":"resume","secret":"wrong"}', "resume_refused"),
        ('{"type":"abort"}', "claim_expected"),
        (frame(b"jpeg"), "claim_expected"),
    ],
)
async def test_a_connection_must_say_whose_it_is(attempt: Attempt, message: str | bytes, code: str) -> None:
    async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
        await socket.send(message)
        assert (await hear(socket))["code"] == code


async def test_the_subprotocol_is_asked_for(attempt: Attempt) -> None:
    async with connect(attempt.stream) as socket:
        assert (await hear(socket))["code"] == "subprotocol_missing"


async def test_an_unknown_session_is_refused(api: RunningApi) -> None:
    async with connect(f"{api.websocket_base}/v1/sessions/ses_x/stream", subprotocols=[PROTOCOL]) as socket:
        await say(socket, type="claim", secret="x")
        assert (await hear(socket))["code"] == "session_unknown"


async def test_giving_up_costs_the_attempt(attempt: Attempt) -> None:
    async with claimed(attempt) as socket:
        await say(socket, type="abort")
        told = await last(socket)
    assert (told["outcome"], told["reason"]) == ("retry", "interrupted")


@dataclass
class GoneSocket:
    """A phone that says one thing, and is gone before it can be told any."""

    says: str
    scope: Message = field(default_factory=lambda: {"subprotocols": [PROTOCOL]})

    async def accept(self, subprotocol: str) -> None:
        assert subprotocol == PROTOCOL

    async def receive(self) -> Message:
        return {"type": "websocket.receive", "text": self.says}

    async def send_json(self, _: Message) -> None:
        raise WebSocketDisconnect(1006)


async def test_a_phone_that_is_gone_before_it_knows_its_session_gives_its_place_back(
    api: RunningApi, attempt: Attempt
) -> None:
    async def claimed_here(message: ClaimMessage) -> RunningSession:
        return await start_session(api.services, session_id=attempt.session_id, message=message, address=None)

    live = api.services.live
    socket = cast(WebSocket, GoneSocket(says=json.dumps({"type": "claim", "secret": attempt.secret})))
    connection = CaptureConnection(socket, max_frame_bytes=1000)
    await connection.serve(session_id=attempt.session_id, live=live, claim=claimed_here)
    for _ in range(100):  # a third of the time that a dropped connection may be away
        await asyncio.sleep(0.05 if live.admission.taken else 0)
    assert live.admission.taken == 0
    state = await api.http.get(
        f"/v1/sessions/{attempt.session_id}", headers={"Authorization": f"Bearer {attempt.secret}"}
    )
    assert (state.json()["state"], state.json()["outcome"]) == ("finished", "retry")


async def test_what_was_read_of_others_is_held_no_longer_than_until_the_decision(
    api: RunningApi, attempt: Attempt
) -> None:
    claim = await api.services.sessions.claim(attempt.session_id, attempt.secret)
    conclusion = RecordedConclusion(api.services, claim, traces=Traces)
    await conclusion.prepare()
    assert conclusion._recalled is not None
    told = await conclusion.conclude(INTERRUPTED)
    assert (told["outcome"], told["reason"]) == ("retry", "interrupted")
    assert conclusion._recalled is None


async def test_three_attempts_are_all(api: RunningApi, grant: Grant) -> None:
    for _ in range(3):
        await phone(api).open(grant)
    answer = await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant.secret}"})
    assert (answer.status_code, answer.json()["code"]) == (410, "attempts_exhausted")


async def test_a_full_service_refuses_before_anything_is_burnt(api: RunningApi, attempt: Attempt) -> None:
    admission = api.services.live.admission
    admission.close()
    for _ in range(api.services.settings.live_sessions):
        admission.admit()
    async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
        await say(socket, type="claim", secret=attempt.secret)
        told = await hear(socket)
    assert told["code"] == "overloaded"
    assert 1 <= told["retry_after"] <= 30
    admission.release()
    async with claimed(attempt):
        pass


async def test_a_full_service_says_what_waiting_will_not_mend(api: RunningApi, attempt: Attempt) -> None:
    async with claimed(attempt):
        admission = api.services.live.admission
        for _ in range(api.services.settings.live_sessions - admission.taken):
            admission.admit()
        for secret, code in ((attempt.secret, "session_already_claimed"), ("x" * 43, "session_secret_invalid")):
            async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
                await say(socket, type="claim", secret=secret)
                assert (await hear(socket))["code"] == code


async def test_silence_in_the_middle_of_a_cue_is_no_answer(
    api: RunningApi, attempt: Attempt, portraits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "ECHO_SECONDS", 0.4)
    actor = living(portraits["person_a_1"], engine=api.services.engine, rng=Random(3))
    shooting = Phone(http=api.http, actor=actor, rng=Random(3))
    async with claimed(attempt) as socket:
        told = await _until_asked(socket, shooting)
        assert told["type"] == "ask"
        ended = await last(socket)
    assert (ended["outcome"], ended["reason"]) == ("retry", "follow_the_cues")


async def test_frames_that_come_again_in_another_session_are_counted_for_the_operator(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    filing = await api.desk.open(registrant(portraits["person_a_1"], id_number="E87654321"))
    grant = await phone(api).agree(await api.desk.invite(filing, filing.subjects[0]))
    actor = living(portraits["person_a_1"], engine=api.services.engine, rng=Random(4))
    shooting = Phone(http=api.http, actor=actor, rng=Random(4))
    shutter = shooting.camera.open(default_rng(2))
    clip = [shutter.shoot(shooting.actor.scene(at), at) for at in (0.0, 0.5, 1.0, 1.5, 2.0)]
    for _ in range(2):
        async with claimed(await phone(api).open(grant)) as socket:
            for seq, jpeg in enumerate(clip * 3):
                await socket.send(frame(jpeg, seq=seq))
                await asyncio.sleep(0.1)
            await say(socket, type="abort")
            told = await last(socket)
        assert (told["outcome"], told["reason"]) == ("retry", "interrupted")
    counted = (await api.http.get("/metrics")).text
    assert 'heyan_fraud_signs_total{does="refuse",sign="same_frames"} 1.0' in counted
    network = api.services.sessions.vault.person_hash("network", "127.0.0.1")
    assert await api.services.store.ask("ZCARD", f"fraud:from:{network}") >= 1


async def test_a_store_that_is_killed_in_the_middle_accepts_nothing_and_loses_nothing(
    embedded_api: RunningApi, portraits: dict[str, bytes]
) -> None:
    api = embedded_api
    filing = await api.desk.open(registrant(portraits["person_a_1"]))
    grant = await phone(api).agree(await api.desk.invite(filing, filing.subjects[0]))
    attempt = await phone(api).open(grant)
    async with claimed(attempt) as socket:
        os.kill(api.services.store._embedded._server.pid, signal.SIGKILL)
        await say(socket, type="abort")
        told = await last(socket)
    assert told.get("code") == "store_unavailable" or told["outcome"] == "retry"
    assert (await _state_once_it_is_back(api, filing))["subjects"][0]["state"] == "pending"


async def _until_asked(socket: ClientConnection, shooting: Phone) -> Message:
    """Frames with a still head until the first cue is told; then silence."""
    nonce, seq, shutter = "", 0, shooting.camera.open(default_rng(1))
    while True:
        jpeg = await asyncio.to_thread(shutter.shoot, shooting.actor.scene(seq / 8), seq / 8)
        await socket.send(frame(jpeg, seq=seq, nonce=nonce))
        seq += 1
        try:
            async with asyncio.timeout(0.1):
                message: Message = json.loads(await socket.recv())
        except TimeoutError:
            continue
        nonce = message.get("nonce", nonce)
        if message["type"] in {"ask", "result", "problem"}:
            return message


async def _state_once_it_is_back(api: RunningApi, filing: Filing) -> Message:
    for _ in range(100):
        answer = await api.http.get(f"/v1/cases/{filing.id}")
        if answer.status_code != 503:
            break
        await asyncio.sleep(0.05)
    content: Message = answer.json()
    return content


async def test_opening_is_refused_before_it_costs_an_attempt_and_what_was_opened_has_its_place(
    api: RunningApi, grant: Grant, attempt: Attempt
) -> None:
    admission = api.services.live.admission
    for _ in range(api.services.settings.live_sessions - 1):
        admission.admit()
    refused = await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant.secret}"})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    async with claimed(attempt):
        pass
    admission.release()
    opened = await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant.secret}"})
    assert (opened.status_code, opened.json()["attempts_left"]) == (201, 1)
