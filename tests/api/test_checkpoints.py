"""Checkpoints over HTTP, the task that signs them, and the audit on the command line beside a running service."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from running_service import RunningApi, registrant

from verify.merkle import is_consistent


async def checkpointed(api: RunningApi, portraits: dict[str, bytes], count: int) -> None:
    for _ in range(count):
        await api.desk.open(registrant(portraits["person_a_1"]))
        await api.services.sequencer.round()


async def newest(api: RunningApi) -> int:
    found = await api.services.checkpoints.newest()
    return found.claims.n if found else 0


async def numbers(api: RunningApi) -> AsyncIterator[int]:
    """The number of the newest checkpoint, asked again and again."""
    while True:
        yield await newest(api)


async def test_checkpoints_are_listed_in_pages(api: RunningApi, portraits: dict[str, bytes]) -> None:
    await checkpointed(api, portraits, 3)
    last = await newest(api)
    page = (await api.http.get("/v1/checkpoints", params={"after": last - 3, "limit": 2})).json()["checkpoints"]
    assert [each["number"] for each in page] == [last - 2, last - 1]
    assert page[0]["checkpoint"].count(".") == 2


async def test_a_checkpoint_comes_with_the_proof_that_it_continues_another(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    await checkpointed(api, portraits, 3)
    last = await newest(api)
    old = (await api.http.get(f"/v1/checkpoints/{last - 2}")).json()
    new = (await api.http.get(f"/v1/checkpoints/{last}", params={"continues": last - 2})).json()
    path = [bytes.fromhex(each) for each in new["consistency"]]
    roots = {"old_root": bytes.fromhex(old["root"]), "new_root": bytes.fromhex(new["root"])}
    assert is_consistent(old=old["size"], new=new["size"], path=path, **roots)
    assert (await api.http.get("/v1/checkpoints/1")).json()["continues"] == 0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/checkpoints/999999999", 404, "checkpoint_unknown"),
        ("/v1/checkpoints/0", 404, "checkpoint_unknown"),
        ("/v1/checkpoints/x", 422, "request_invalid"),
        ("/v1/checkpoints?limit=0", 422, "request_invalid"),
        ("/v1/checkpoints?after=-1", 422, "request_invalid"),
    ],
)
async def test_bad_numbers_are_named(api: RunningApi, path: str, status: int, code: str) -> None:
    answer = await api.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_checkpoints_are_for_clients(api: RunningApi) -> None:
    answer = await api.http.get("/v1/checkpoints", headers={"Authorization": ""})
    assert answer.status_code == 401


async def test_the_task_signs_by_itself(embedded_api: RunningApi, portraits: dict[str, bytes]) -> None:
    await embedded_api.desk.open(registrant(portraits["person_a_1"]))
    services = embedded_api.services
    await services.store._connection.ask("DEL", services.store.ledger._key("lease"))  # the service's own task holds it
    async with replace(services.sequencer, every=0.01).running(), asyncio.timeout(10):
        await anext(number async for number in numbers(embedded_api) if number)


class Recorder:
    """A log that tells when a round has failed."""

    def __init__(self) -> None:
        self.failed = asyncio.Event()

    def warning(self, *_: object, **__: object) -> None:
        self.failed.set()

    exception = warning


@pytest.mark.parametrize("spoilt", ["latest", "leaves"])
async def test_a_round_that_fails_is_followed_by_the_next(
    embedded_api: RunningApi, portraits: dict[str, bytes], spoilt: str
) -> None:
    """Somebody has spoilt what the round reads; when it is mended the task still runs."""
    services, recorder = embedded_api.services, Recorder()
    store, ledger = services.store._connection, services.store.ledger
    await embedded_api.desk.open(registrant(portraits["person_a_1"]))
    await store.ask("DEL", *(ledger._key(name) for name in ("lease", "latest", "leaves", "nodes", "checkpoints")))
    await store.ask("SET", ledger._key(spoilt), "spoilt")
    sequencer = replace(services.sequencer, every=0.01, log=recorder)
    async with sequencer.running(), asyncio.timeout(10):
        await recorder.failed.wait()
        await store.ask("DEL", ledger._key(spoilt))
        await anext(number async for number in numbers(embedded_api) if number)
