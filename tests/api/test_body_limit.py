from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api.body_limit import BodyLimit
from api.errors import RequestTooLargeError

LIMIT = 100


async def _read(request: Request) -> PlainTextResponse:
    try:
        return PlainTextResponse(str(len(await request.body())))
    except RequestTooLargeError as error:
        return PlainTextResponse(error.code, error.status)


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 30


@pytest.fixture
async def limited_client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Route("/", _read, methods=["POST"])])
    transport = httpx.ASGITransport(BodyLimit(app, max_bytes=LIMIT))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_bodies_up_to_the_limit_pass(limited_client: httpx.AsyncClient, size: int) -> None:
    assert (await limited_client.post("/", content=b"x" * size)).text == str(size)


async def test_an_announced_length_is_refused(limited_client: httpx.AsyncClient) -> None:
    response = await limited_client.post("/", content=b"x" * (LIMIT + 1))
    assert (response.status_code, response.text) == (413, "request_too_large")


async def test_a_stream_without_length_is_counted(limited_client: httpx.AsyncClient) -> None:
    assert (await limited_client.post("/", content=_chunks(3))).text == "90"
    assert (await limited_client.post("/", content=_chunks(4))).status_code == 413
