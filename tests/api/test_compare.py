from base64 import b64encode
from http import HTTPStatus

import pytest
from running_service import RunningApi

from benchmarks.registration import Filing


def pair(one: bytes, other: bytes) -> dict[str, str]:
    return {"photo_a": b64encode(one).decode(), "photo_b": b64encode(other).decode()}


@pytest.mark.parametrize(("other", "match"), [("person_a_2", True), ("impostor_1", False)])
async def test_two_photos_are_compared_without_a_score(
    api: RunningApi, portraits: dict[str, bytes], other: str, match: bool
) -> None:
    answer = (await api.http.post("/v1/compare", json=pair(portraits["person_a_1"], portraits[other]))).json()
    assert (answer["match"], answer["reason"]) == (match, "match" if match else "mismatch")
    assert set(answer) == {"match", "reason", "policy", "contract"}


async def test_comparing_is_limited(api: RunningApi) -> None:
    limit, taken = api.services.settings.compare_per_minute, 0
    answer = await api.http.post("/v1/compare", json=pair(b"x", b"y"))
    while answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and taken < 2 * limit:  # a slow machine is given more
        taken += 1
        answer = await api.http.post("/v1/compare", json=pair(b"x", b"y"))
    assert taken >= limit
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_comparison_leaves_no_token(api: RunningApi, filing: Filing, portraits: dict[str, bytes]) -> None:
    await api.http.post("/v1/compare", json=pair(portraits["person_a_1"], portraits["person_a_2"]))
    answer = await api.http.post(f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/tokens")
    assert answer.json()["code"] == "not_verified"
