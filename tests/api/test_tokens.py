"""Tokens over HTTP. The verification behind them is recorded directly: capture has tests of its own."""

import asyncio
import secrets

import anyio.to_thread
import pytest
from registry_office import CONVINCING
from running_service import RunningApi, registrant

from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing
from verify.signing import load_keys


async def verified(api: RunningApi, filing: Filing, subject: str) -> None:
    """The way of `Phone` up to the session, then a decision on convincing evidence."""
    phone = Phone(http=api.http, actor=Actor, rng=None)
    grant = await phone.agree(await api.desk.invite(filing, subject))
    attempt = await phone.open(grant)
    claim = await api.services.sessions.claim(attempt.session_id, attempt.secret)
    await api.services.sessions.finish(claim, CONVINCING)


@pytest.fixture
async def token(api: RunningApi, filing: Filing) -> str:
    await verified(api, filing, filing.subjects[0])
    return await api.desk.mint(filing, filing.subjects[0])


async def test_nobody_has_a_token_before_verifying(api: RunningApi, filing: Filing) -> None:
    answer = await api.http.post(f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/tokens")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_verified")


async def test_a_token_is_redeemed_once_and_its_receipt_stays(api: RunningApi, filing: Filing, token: str) -> None:
    first = await api.desk.redeem(filing, filing.subjects[0], token)
    second = await api.desk.redeem(filing, filing.subjects[0], token)
    receipt = first.json()
    assert receipt["claims"]["capture"] == "unattested"
    assert (second.status_code, second.json()["code"]) == (409, "token_already_redeemed")
    assert second.json()["receipt_id"] == receipt["id"]
    assert (await api.http.get(f"/v1/receipts/{receipt['id']}")).json() == receipt


@pytest.mark.parametrize(
    ("field", "value"),
    [("action", "company.cancel"), ("role", "director"), ("roster_version", 2), ("document_sha256", "0" * 64)],
)
async def test_another_filing_is_refused_and_burns_nothing(
    api: RunningApi, filing: Filing, token: str, field: str, value: object
) -> None:
    refused = await api.desk.redeem(filing, filing.subjects[0], token, **{field: value})
    assert (refused.status_code, refused.json()["code"]) == (403, "restated_field_mismatch")
    assert refused.json()["fields"] == [field]
    assert (await api.desk.redeem(filing, filing.subjects[0], token)).status_code == 200


@pytest.mark.parametrize("version", ["1", 1.5, True])
async def test_a_version_of_the_roster_is_a_number(
    api: RunningApi, filing: Filing, token: str, version: object
) -> None:
    refused = await api.desk.redeem(filing, filing.subjects[0], token, roster_version=version)
    assert (refused.status_code, refused.json()["fields"][0]["field"]) == (422, "roster_version")


async def test_of_many_redemptions_at_once_one_wins(api: RunningApi, filing: Filing, token: str) -> None:
    answers = await asyncio.gather(*(api.desk.redeem(filing, filing.subjects[0], token) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19


async def test_minting_and_redeeming_need_no_other_thread(
    api: RunningApi, filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What FastAPI finds to be a plain function it runs on a thread, at the price of a hand-over there and back."""
    await verified(api, filing, filing.subjects[0])

    async def no_thread(function: object, *_: object, **__: object) -> None:
        raise AssertionError(f"{function} went to another thread")

    monkeypatch.setattr(anyio.to_thread, "run_sync", no_thread)
    token = await api.desk.mint(filing, filing.subjects[0])
    assert (await api.desk.redeem(filing, filing.subjects[0], token)).status_code == 200


async def test_a_forged_token_is_no_token(api: RunningApi, filing: Filing, token: str) -> None:
    answer = await api.desk.redeem(filing, filing.subjects[0], token[:-4] + "AAAA")
    assert (answer.status_code, answer.json()["code"]) == (422, "token_invalid")


async def test_people_of_a_case_are_redeemed_together_or_not_at_all(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    filing = await api.desk.open(
        registrant(portraits["person_a_1"]), registrant(portraits["person_b_1"], id_number="E2")
    )
    for subject in filing.subjects:
        await verified(api, filing, subject)
    tokens = [
        {"token": await api.desk.mint(filing, subject), "subject_id": subject, "role": "shareholder"}
        for subject in filing.subjects
    ]
    body = {"action": "capital.increase", "roster_version": 1, "document_sha256": filing.case["document_sha256"]}
    alone = await api.http.post(f"/v1/cases/{filing.id}/redeem", json={**body, "tokens": tokens[:1]})
    together = await api.http.post(f"/v1/cases/{filing.id}/redeem", json={**body, "tokens": tokens})
    assert (alone.status_code, alone.json()["code"]) == (403, "rule_not_met")
    assert len(together.json()["receipts"]) == 2
    assert (await api.desk.state(filing))["state"] == "completed"


async def test_redemptions_are_counted_by_result(api: RunningApi, filing: Filing, token: str) -> None:
    for _ in range(2):
        await api.desk.redeem(filing, filing.subjects[0], token)
    text = (await api.http.get("/metrics")).text
    assert 'heyan_redemptions_total{result="redeemed"} 1.0' in text
    assert 'heyan_redemptions_total{result="token_already_redeemed"} 1.0' in text


async def test_live_and_test_keys_are_published_apart(api: RunningApi) -> None:
    live = (await api.http.get("/.well-known/jwks.json")).json()["keys"]
    test = (await api.http.get("/.well-known/test/jwks.json")).json()["keys"]
    assert {key["heyan_for"] for key in live} == {"live", "checkpoint"}
    assert {key["heyan_for"] for key in test} == {"test", "checkpoint"}
    assert all("d" not in key for key in live + test)


async def test_a_receipt_of_somebody_else_does_not_exist(api: RunningApi, filing: Filing, token: str) -> None:
    receipt = (await api.desk.redeem(filing, filing.subjects[0], token)).json()
    _, key = await api.services.clients.create("window 5", mode="live")
    answer = await api.http.get(f"/v1/receipts/{receipt['id']}", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "receipt_unknown")


async def test_looking_at_a_token_consumes_nothing(api: RunningApi, filing: Filing, token: str) -> None:
    seen = (await api.http.post("/v1/tokens/introspect", data={"token": token, "token_type_hint": "x"})).json()
    assert (seen["active"], seen["case_id"], seen["subject_id"]) == (True, filing.id, filing.subjects[0])
    assert (await api.desk.redeem(filing, filing.subjects[0], token)).status_code == 200
    again = (await api.http.post("/v1/tokens/introspect", data={"token": token})).json()
    assert again == {"active": False}


async def test_looking_again_under_the_same_key_is_answered_anew(api: RunningApi, filing: Filing, token: str) -> None:
    path, key = "/v1/tokens/introspect", {"Idempotency-Key": "0a7b6a2e-6f0e-4c38-9f67-1f6a5fb5d1c1"}
    assert (await api.http.post(path, data={"token": token}, headers=key)).json()["active"] is True
    assert (await api.desk.redeem(filing, filing.subjects[0], token)).status_code == 200
    again = await api.http.post(path, data={"token": token}, headers=key)
    assert (again.json(), "idempotent-replayed" in again.headers) == ({"active": False}, False)


async def test_another_client_learns_nothing_by_looking(api: RunningApi, token: str) -> None:
    _, key = await api.services.clients.create("window 6", mode="live")
    answer = await api.http.post(
        "/v1/tokens/introspect", data={"token": token}, headers={"Authorization": f"Bearer {key}"}
    )
    assert (answer.status_code, answer.json()["active"]) == (200, False)


@pytest.mark.parametrize("form", ["", "token=", "other=1", "token=a&token=b", "&" * 50])
async def test_a_form_without_one_token_is_named(api: RunningApi, form: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await api.http.post("/v1/tokens/introspect", content=form, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert "token" in answer.json()["detail"]


async def test_looking_takes_a_form_alone(api: RunningApi) -> None:
    answer = await api.http.post("/v1/tokens/introspect", json={"token": "x"})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/.well-known/test/jwks.json"])
async def test_keys_may_be_kept_for_a_while(api: RunningApi, path: str) -> None:
    first = await api.http.get(path)
    assert first.headers["cache-control"] == "public, max-age=300"
    held = await api.http.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    purpose = "test" if "test" in path else "live"
    load_keys(api.services.settings.data_dir, entropy=secrets.token_bytes).rings[purpose].rotate(now=0.0)
    fresh = await api.http.get(path, headers={"if-none-match": first.headers["etag"]})
    assert fresh.status_code == 200
    assert len(fresh.json()["keys"]) == len(first.json()["keys"]) + 1
