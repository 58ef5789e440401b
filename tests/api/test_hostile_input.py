"""What strangers may send to an open port, as bytes: each is refused in time, and the service goes on."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
from running_service import RunningApi, running_api
from websockets.asyncio.client import connect

from api import body_limit, connections
from api.connections import subscriber
from api.settings import Settings
from benchmarks.phone.online import PROTOCOL
from benchmarks.registration import Filing
from models.engine import Engine

HEAD = b"POST /v1/invites/inspect HTTP/1.1\r\nhost: heyan\r\ncontent-type: application/json\r\n"
LAST_REQUEST = b"GET /healthz HTTP/1.1\r\nhost: heyan\r\nconnection: close\r\n\r\n"
"""After whose answer the connection ends."""


@asynccontextmanager
async def connected(api: RunningApi) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
    yield reader, writer
    writer.close()


async def answered(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of the answer, after which the connection ends."""
    async with asyncio.timeout(10):
        text = (await reader.read()).decode()
    return int(text.split(" ")[1]), json.loads(text.partition("\r\n\r\n")[2])["code"]


async def lives(api: RunningApi) -> None:
    assert (await api.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("begun", [b"", b"POST /v1/invites/inspect HTTP/1.1\r\n", HEAD + b"x-padding: ", b"\r\n\r\n"])
async def test_who_sends_no_head_or_a_slow_one_is_cut_off(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.6)
    async with connected(api) as (reader, writer):
        started = monotonic()
        writer.write(begun)

        async def drip() -> None:
            while begun:
                await asyncio.sleep(0.1)
                writer.write(b"\r\n" if begun == b"\r\n\r\n" else b"x")

        dripping = asyncio.create_task(drip())
        assert await answered(reader) == (408, "head_too_slow")
        assert monotonic() - started < 2
        dripping.cancel()
    await lives(api)


@pytest.mark.parametrize(
    ("trusted", "status"),
    [(None, 429), ("192.0.2.0/24", 429), ("192.0.2.1, 127.0.0.0/8", 200)],
    ids=["stranger", "not the proxy", "proxy"],
)
async def test_one_address_has_so_many_connections_but_for_a_proxys(
    engine: Engine, api_store_url: str, shared_home: Path, trusted: str | None, status: int
) -> None:
    settings = Settings(
        data_dir=shared_home, port=0, store_url=api_store_url, connections_per_address=3, trusted_proxies=trusted
    )
    async with running_api(settings, engine) as api, AsyncExitStack() as stack:
        url = f"{api.websocket_base}/v1/sessions/ses_x/stream"
        await stack.enter_async_context(connect(url, subprotocols=[PROTOCOL]))
        held = [await stack.enter_async_context(connected(api)) for _ in range(2)]
        async with connected(api) as (reader, writer):
            writer.write(LAST_REQUEST)
            answer = await reader.read()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert (b"connections_too_many" in answer) == (status == 429)
        held[0][1].write(LAST_REQUEST)
        assert (await held[0][0].read()).startswith(b"HTTP/1.1 200 ")
        await lives(api)  # in the place that it left


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::1", True),
    ],
)
def test_a_subscriber_of_ipv6_has_more_than_one_address(one: str, other: str, same: bool) -> None:
    assert (subscriber(one) == subscriber(other)) == same


async def test_a_connection_that_is_kept_has_no_more_time_for_its_second_head(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.6)
    async with connected(api) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: heyan\r\n\r\n")
        first = await reader.readuntil(b"}")
        assert first.startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.8)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        assert await answered(reader) == (408, "head_too_slow")


async def test_nor_has_a_head_behind_a_request_that_is_still_answered(
    api: RunningApi, filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.6)
    watching = f"GET /v1/cases/{filing.id}/events HTTP/1.1\r\nhost: heyan\r\n"
    async with connected(api) as (reader, writer), asyncio.timeout(10):
        writer.write(f"{watching}authorization: {api.http.headers['authorization']}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        assert b"head_too_slow" in await reader.read()


@pytest.mark.parametrize("part", [b"x-padding: " + b"x" * 987 + b"\r\n", b"x" * 1000], ids=["many", "one without end"])
async def test_a_head_of_more_than_its_size_is_refused(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, part: bytes
) -> None:
    monkeypatch.setattr(connections, "MOST_HEAD_BYTES", 8_000)
    async with connected(api) as (reader, writer):
        writer.write(HEAD + (b"" if b":" in part else b"x-padding: "))
        for _ in range(12):
            if reader._buffer:
                break
            writer.write(part)
            await asyncio.sleep(0.02)
        assert await answered(reader) == (431, "head_too_large")
    await lives(api)


async def test_a_head_of_the_usual_size_is_read(api: RunningApi) -> None:
    answer = await api.http.get("/healthz", headers={"x-padding": "x" * 16_000})
    assert answer.status_code == 200


async def test_a_body_that_does_not_come_is_not_waited_for(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "PAUSE_SECONDS", 0.3)
    async with connected(api) as (reader, writer):
        writer.write(HEAD + b"connection: close\r\ncontent-length: 1000\r\n\r\n{")
        assert await answered(reader) == (408, "request_too_slow")
    await lives(api)


async def test_a_body_that_drips_has_an_end(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "BODY_SECONDS", 0.6)
    async with connected(api) as (reader, writer):
        writer.write(HEAD + b"connection: close\r\ncontent-length: 1000\r\n\r\n")
        while not reader._buffer and reader.exception() is None:
            writer.write(b" ")
            await asyncio.sleep(0.1)
        with suppress(ConnectionResetError):  # a byte that crosses the answer may cost it
            assert await answered(reader) == (408, "request_too_slow")


async def test_who_watches_a_case_may_stay(api: RunningApi, filing: Filing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits end with head and body."""
    monkeypatch.setattr(body_limit, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(body_limit, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    async with asyncio.timeout(10), api.http.stream("GET", f"/v1/cases/{filing.id}/events") as events:
        lines = events.aiter_lines()
        await asyncio.sleep(0.8)
        (await api.http.post(f"/v1/cases/{filing.id}/cancel", json={"reason": "withdrawn"})).raise_for_status()
        assert [line async for line in lines if "case.cancelled" in line]


@pytest.mark.parametrize("deep", [b"[" * 200_000, b'{"a":' * 200_000, b"[" * 200_000 + b"]" * 200_000])
async def test_json_that_nests_without_end_is_refused(api: RunningApi, deep: bytes) -> None:
    for path in ("/v1/invites/inspect", "/v1/cases", "/v1/tokens/redeem"):
        answer = await api.http.post(path, content=deep, headers={"content-type": "application/json"})
        assert answer.status_code in {400, 422}, answer.text
        assert answer.json()["code"] in {"request_malformed", "request_invalid"}
    await lives(api)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"type":' * 100_000])
async def test_a_phones_message_that_nests_without_end_is_refused(api: RunningApi, deep: str) -> None:
    async with connect(f"{api.websocket_base}/v1/sessions/ses_x/stream", subprotocols=[PROTOCOL]) as socket:
        await socket.send(deep)
        told = json.loads(await socket.recv())
    assert (told["type"], told["code"]) == ("problem", "message_malformed")


async def test_a_compressed_body_is_never_unpacked(api: RunningApi) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await api.http.post("/v1/invites/inspect", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")


async def test_messages_of_phones_are_not_compressed(api: RunningApi) -> None:
    """So that none grows when it is read."""
    async with connect(f"{api.websocket_base}/v1/sessions/ses_x/stream", subprotocols=[PROTOCOL]) as socket:
        assert socket.response is not None
        assert "sec-websocket-extensions" not in socket.response.headers


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/invites/inspect", "/v1/sessions", "/healthz", "/nowhere"])
async def test_no_other_origin_may_read_or_send(api: RunningApi, path: str) -> None:
    origin = {"origin": "https://elsewhere.example"}
    preflight = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    for answer in (await api.http.options(path, headers=preflight), await api.http.get(path, headers=origin)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert (await api.http.options(path, headers=preflight)).status_code in {404, 405}
