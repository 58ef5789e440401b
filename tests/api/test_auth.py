import pytest
from running_service import RunningApi

from benchmarks.registration import Filing


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "key_missing"),
        ({"Authorization": "Basic eDp5"}, 401, "key_missing"),
        ({"Authorization": "Bearer hk_live_wrong"}, 401, "api_key_invalid"),
    ],
)
async def test_without_a_good_key_nothing_is_told(
    api: RunningApi, filing: Filing, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await api.http.get(f"/v1/cases/{filing.id}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_key_is_a_wrong_key(api: RunningApi) -> None:
    client, key = await api.services.clients.create("window 3", mode="live")
    await api.services.clients.revoke(client.id)
    answer = await api.http.get("/v1/cases/case_x", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_a_further_key_reads_the_case_of_the_first(api: RunningApi, filing: Filing) -> None:
    client = await api.services.clients.authenticate(api.http.headers["Authorization"].removeprefix("Bearer "))
    _, key = await api.services.clients.add_key(client.id)
    answer = await api.http.get(f"/v1/cases/{filing.id}", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["id"]) == (200, filing.id)


async def test_a_key_without_the_scope_is_told_which_one(api: RunningApi) -> None:
    _, key = await api.services.clients.create("window 4", mode="live")
    answer = await api.http.post(
        "/v1/compare", json={"photo_a": "", "photo_b": ""}, headers={"Authorization": f"Bearer {key}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_a_key_for_comparing_reaches_no_case(api: RunningApi, filing: Filing) -> None:
    client = await api.services.clients.authenticate(api.http.headers["Authorization"].removeprefix("Bearer "))
    _, key = await api.services.clients.add_key(client.id, scopes=("compare",))
    answer = await api.http.get(f"/v1/cases/{filing.id}", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_phones_need_their_own_credentials(api: RunningApi) -> None:
    bare = {"Authorization": ""}
    opening = await api.http.post("/v1/sessions", headers=bare)
    looking = await api.http.get("/v1/sessions/ses_x", headers=bare)
    assert [answer.json()["code"] for answer in (opening, looking)] == ["credential_missing"] * 2


async def test_an_api_key_is_no_capture_grant(api: RunningApi) -> None:
    answer = await api.http.post("/v1/sessions")
    assert (answer.status_code, answer.json()["code"]) == (401, "grant_invalid")
