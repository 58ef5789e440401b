"""Test mode over HTTP: from a case to a redeemed token without a camera."""

from collections.abc import AsyncIterator

import httpx
import pytest
from running_service import RunningApi

from benchmarks.registration import Filing, Registrant, Registration


@pytest.fixture
async def desk(api: RunningApi) -> AsyncIterator[Registration]:
    """A registration service with a key of test mode."""
    _, key = await api.services.clients.create("window 1", mode="test")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=api.http.base_url, headers=headers, timeout=20) as http:
        yield Registration(http)


def named(name: str, photo: bytes) -> Registrant:
    return Registrant(name=name, role="shareholder", id_number="E12345678", photo=photo)


def path(filing: Filing) -> str:
    return f"/v1/test/cases/{filing.id}/subjects/{filing.subjects[0]}/simulate"


async def test_from_a_case_to_a_redeemed_token_without_a_camera(
    api: RunningApi, desk: Registration, portraits: dict[str, bytes]
) -> None:
    filing = await desk.open(named("Test Accepted", portraits["person_a_1"]))
    simulated = await desk.http.post(path(filing))
    assert simulated.json() == {"outcome": "accepted", "reason": None, "state": "verified"}
    token = await desk.mint(filing, filing.subjects[0])
    live = await api.desk.redeem(filing, filing.subjects[0], token)
    assert (live.status_code, live.json()["code"]) == (422, "token_invalid")
    redeemed = await desk.redeem(filing, filing.subjects[0], token)
    assert redeemed.json()["claims"]["capture"] == "simulated"
    assert (await desk.state(filing))["state"] == "completed"


async def test_a_failure_is_told_as_a_phone_would_be_told(desk: Registration, portraits: dict[str, bytes]) -> None:
    filing = await desk.open(named("Test Mismatch", portraits["person_a_1"]))
    answer = await desk.http.post(path(filing))
    assert answer.json() == {"outcome": "rejected", "reason": "not_verified", "state": "pending"}


async def test_whoever_asks_for_the_case_sees_what_came_of_the_person(
    desk: Registration, portraits: dict[str, bytes]
) -> None:
    told = {}
    for name in ("Test Unclear", "Test Mismatch", "Test Interrupted", "Test Times Out"):
        filing = await desk.open(named(name, portraits["person_a_1"]))
        assert (await desk.state(filing))["subjects"][0]["last_attempt"] is None
        await desk.http.post(path(filing))
        (subject,) = (await desk.state(filing))["subjects"]
        attempt, invite = subject["last_attempt"], subject["invite"]
        told[name] = (subject["state"], attempt["outcome"], attempt["reason"])
        assert attempt.keys() == {"outcome", "reason", "opened_at"}
        assert (invite["state"], invite["attempts_left"]) == ("exchanged", 2)
    assert told == {
        "Test Unclear": ("pending", "referred", "use_window"),
        "Test Mismatch": ("pending", "rejected", "not_verified"),
        "Test Interrupted": ("pending", "retry", None),
        "Test Times Out": ("pending", None, None),
    }


async def test_whoever_asks_for_the_case_finds_the_receipt(desk: Registration, portraits: dict[str, bytes]) -> None:
    filing = await desk.open(named("Test Accepted", portraits["person_a_1"]))
    await desk.http.post(path(filing))
    (verified,) = (await desk.state(filing))["subjects"]
    assert verified["verified_at"] < verified["valid_until"]
    token = await desk.mint(filing, filing.subjects[0])
    redeemed = await desk.redeem(filing, filing.subjects[0], token)
    (subject,) = (await desk.state(filing))["subjects"]
    assert (subject["receipt"], subject["valid_until"]) == (redeemed.json()["id"], None)


async def test_with_if_match_the_whole_attempt_is_one_change(desk: Registration, portraits: dict[str, bytes]) -> None:
    filing = await desk.open(named("Test Accepted", portraits["person_a_1"]))
    tag = (await desk.http.get(f"/v1/cases/{filing.id}")).headers["etag"]
    stale = await desk.http.post(path(filing), headers={"If-Match": '"other"'})
    assert stale.status_code == 412
    assert (await desk.http.post(path(filing), headers={"If-Match": tag})).json()["outcome"] == "accepted"


async def test_a_live_key_simulates_nothing(api: RunningApi, filing: Filing) -> None:
    answer = await api.http.post(path(filing))
    assert (answer.status_code, answer.json()["code"]) == (403, "test_mode_only")
