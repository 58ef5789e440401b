"""Photos of case openings: no client keeps another one waiting."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from running_service import RunningApi

from api.errors import OverloadedError
from api.fair_threads import FairThreads
from api.metrics import Metrics
from api.photo_checks import PhotoChecks, photo_threads
from benchmarks.registration import DOCUMENT, Filing


@pytest.fixture
def thread() -> Iterator[FairThreads]:
    one = FairThreads(1, name="photos")
    yield one
    one.close()


def checks(thread: FairThreads, *, places: int = 4) -> PhotoChecks:
    return PhotoChecks(threads=thread, places=places, metrics=Metrics())


async def started(checks: PhotoChecks, client: str, *works: Any) -> "asyncio.Task[None]":
    task = asyncio.create_task(checks.run(client, works))
    await asyncio.sleep(0)
    return task


async def test_photos_of_a_request_are_looked_at_one_after_the_other(thread: FairThreads) -> None:
    ran = list[int]()
    await checks(thread).run("a", [lambda: ran.append(1), lambda: ran.append(2)])
    assert ran == [1, 2]


async def test_what_is_wrong_with_a_photo_ends_its_request_and_gives_the_place_back(thread: FairThreads) -> None:
    one, ran = checks(thread, places=1), list[str]()

    def damaged() -> None:
        raise ValueError("damaged")

    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            await one.run("a", [damaged, lambda: ran.append("next")])
    assert ran == []


async def test_a_client_with_little_waits_for_one_photo_of_each_other_client(thread: FairThreads) -> None:
    both, gate, ran = checks(thread, places=20), threading.Event(), list[str]()
    first = await started(both, "heavy", gate.wait, *[lambda: ran.append("heavy")] * 50)
    second = await started(both, "heavy", *[lambda: ran.append("heavy")] * 50)
    small = await started(both, "light", lambda: ran.append("light"))
    gate.set()
    await asyncio.gather(first, second, small)
    assert ran.index("light") <= 1


async def test_a_client_holds_no_more_places_than_are_free(thread: FairThreads) -> None:
    four, gate = checks(thread, places=4), threading.Event()
    held = [await started(four, "heavy", gate.wait) for _ in range(2)]
    with pytest.raises(OverloadedError) as refused:
        await four.run("heavy", [gate.wait])
    assert refused.value.retry_after is not None
    other = await started(four, "light", gate.wait)
    with pytest.raises(OverloadedError):
        await four.run("light", [gate.wait])
    await four.run("heavy", [])
    gate.set()
    await asyncio.gather(*held, other)
    await four.run("heavy", [gate.wait])


async def test_who_goes_away_gives_the_place_back(thread: FairThreads) -> None:
    one, gate = checks(thread, places=1), threading.Event()
    gone = await started(one, "a", gate.wait)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    gate.set()
    await one.run("b", [gate.wait])


def test_a_quarter_as_many_threads_as_inference_has_and_at_least_one() -> None:
    found = [photo_threads(workers=workers) for workers in (1, 4, 8, 11)]
    assert [threads._idle for threads in found] == [1, 1, 2, 2]
    for threads in found:
        threads.close()


def subject(photo: bytes, number: int = 12345678) -> dict[str, Any]:
    return {
        "name": "张三丰",
        "role": "shareholder",
        "id_document": {"type": "passport", "number": f"E{number:08d}"},
        "reference": {"photo": b64encode(photo).decode(), "provenance": "authority"},
    }


def body(*photos: bytes) -> dict[str, Any]:
    subjects = [subject(photo, number) for number, photo in enumerate(photos)]
    return {"action": "capital.increase", "document_sha256": DOCUMENT, "subjects": subjects}


async def test_a_small_case_is_opened_while_another_client_keeps_the_thread_busy(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    permits = threading.Semaphore(0)
    works = [lambda: permits.acquire() and None] * 10_000
    heavy = [asyncio.create_task(api.services.cases.in_turns("heavy", works)) for _ in range(5)]
    opening = asyncio.create_task(api.http.post("/v1/cases", json=body(portraits["person_a_1"])))
    while not opening.done():
        permits.release()
        await asyncio.sleep(0.01)
    assert opening.result().status_code == 201
    assert not any(task.done() for task in heavy)
    for task in heavy:
        task.cancel()
    await asyncio.gather(*heavy, return_exceptions=True)
    permits.release(10_000)


async def test_a_client_with_too_many_openings_is_refused_and_others_are_not(
    api: RunningApi, filing: Filing, portraits: dict[str, bytes]
) -> None:
    client, key = await api.services.clients.create("window 2", mode="live")
    theirs, photo, gate = {"Authorization": f"Bearer {key}"}, portraits["person_a_1"], threading.Event()
    held = [
        asyncio.create_task(api.services.cases.in_turns(client.id, [lambda: gate.wait() and None]))
        for _ in range(api.services.settings.queue)
    ]
    await asyncio.sleep(0)
    for path, content in (("/v1/cases", body(photo)), (f"/v1/cases/{filing.id}/subjects", subject(photo))):
        refused = await api.http.post(path, json=content, headers=theirs)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
    batch = await api.http.post("/v1/cases/batch", json={"cases": [body(photo)]}, headers=theirs)
    assert batch.json()["results"][0]["problem"]["code"] == "overloaded"
    opening = asyncio.create_task(api.http.post("/v1/cases", json=body(photo)))
    gate.set()
    assert (await opening).status_code == 201
    await asyncio.gather(*held)
    assert (await api.http.post("/v1/cases", json=body(photo), headers=theirs)).status_code == 201


@pytest.mark.parametrize("batch", [False, True])
async def test_the_photos_of_a_request_have_a_bound_together(api: RunningApi, batch: bool) -> None:
    buffer = BytesIO()
    Image.new("L", (8000, 5000)).save(buffer, "JPEG", quality=10)
    photos = [buffer.getvalue()] * 11
    content = {"cases": [body(photo) for photo in photos]} if batch else body(*photos)
    answer = await api.http.post("/v1/cases/batch" if batch else "/v1/cases", json=content, timeout=120)
    told = answer.json()["results"][-1]["problem"] if batch else answer.json()
    assert (told["status"], told["code"]) == (422, "photos_too_many_pixels")
    assert "400000000" in told["detail"]
    if batch:
        assert [each["status"] for each in answer.json()["results"][:-1]] == [201] * 10
