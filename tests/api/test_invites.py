import asyncio
from io import BytesIO
from secrets import token_bytes
from typing import Any

import pytest
from PIL import Image, ImageFilter
from running_service import RunningApi, registrant

from benchmarks.registration import Filing
from verify.identifiers import new_secret

BARE = {"Authorization": ""}


async def inspect(api: RunningApi, code: str) -> Any:
    return await api.http.post("/v1/invites/inspect", json={"code": code}, headers=BARE)


async def consent(api: RunningApi, code: str, **changes: Any) -> Any:
    seen = (await inspect(api, code)).json()
    given = {
        "code": code,
        "agreed": True,
        "consent_version": seen["consent"]["version"],
        "consent_sha256": seen["consent"]["sha256"]["en"],
        "intent_sha256": seen["intent"]["sha256"],
        "language": "en",
        **changes,
    }
    return await api.http.post("/v1/invites/consent", json=given, headers=BARE)


async def exchange(api: RunningApi, code: str, **more: str) -> Any:
    return await api.http.post("/v1/invites/exchange", json={"code": code, **more}, headers=BARE)


@pytest.fixture
async def code(api: RunningApi, filing: Filing) -> str:
    return await api.desk.invite(filing, filing.subjects[0])


async def test_a_person_sees_who_asks_for_what_before_deciding(api: RunningApi, code: str) -> None:
    seen = (await inspect(api, code)).json()
    assert (seen["requester"], seen["action"], seen["role"]) == ("window 1", "capital.increase", "shareholder")
    assert seen["name_masked"] == "张**"
    assert "registered capital" in seen["intent"]["en"]
    assert "增加注册资本" in seen["intent"]["zh"]


async def test_inspecting_burns_nothing(api: RunningApi, code: str) -> None:
    assert {(await inspect(api, code)).status_code for _ in range(5)} == {200}


async def test_a_link_as_a_qr_code_burns_nothing(api: RunningApi, code: str) -> None:
    drawing = (await api.http.post("/v1/invites/qr-code", json={"code": code}, headers=BARE)).json()
    assert drawing["size"] > 30
    assert drawing["path"].startswith("M4 4.5h7M")
    assert (await inspect(api, code)).json()["state"] == "issued"
    unknown = await api.http.post("/v1/invites/qr-code", json={"code": code[:-1] + "?"}, headers=BARE)
    assert unknown.status_code == 404


async def test_consent_then_exchange_gives_a_grant_once(api: RunningApi, code: str) -> None:
    assert (await consent(api, code)).json()["state"] == "consented"
    first, second = await exchange(api, code), await exchange(api, code)
    assert first.json()["attempts_left"] == 3
    assert (second.status_code, second.json()["code"]) == (409, "invite_used")


async def test_of_many_exchanges_at_once_one_wins(api: RunningApi, code: str) -> None:
    await consent(api, code)
    answers = await asyncio.gather(*(exchange(api, code) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def test_a_lost_answer_is_asked_for_again_with_the_phones_own_secret(api: RunningApi, code: str) -> None:
    await consent(api, code)
    mine, other = (new_secret(token_bytes) for _ in range(2))
    first, again = [await exchange(api, code, grant_secret=mine) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())
    opened = await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {first.json()['grant']}"})
    assert opened.status_code == 201
    refused = await exchange(api, code, grant_secret=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "invite_used")


async def test_a_secret_has_the_form_of_32_bytes_and_is_not_the_links(api: RunningApi, code: str) -> None:
    await consent(api, code)
    assert (await exchange(api, code, grant_secret="short")).status_code == 422
    refused = await exchange(api, code, grant_secret=code.split(".")[2])
    assert (refused.status_code, refused.json()["code"]) == (422, "grant_secret_invalid")


async def test_no_camera_before_consent(api: RunningApi, code: str) -> None:
    answer = await exchange(api, code)
    assert (answer.status_code, answer.json()["code"]) == (403, "consent_required")


async def test_other_texts_than_those_in_force_are_not_agreed_to(api: RunningApi, code: str) -> None:
    answer = await consent(api, code, intent_sha256="0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (422, "consent_mismatch")


async def test_declining_erases_the_photo_and_ends_the_link(api: RunningApi, filing: Filing, code: str) -> None:
    assert (await consent(api, code, agreed=False)).json()["state"] == "declined"
    subject = (await api.desk.state(filing))["subjects"][0]
    assert (subject["reference_state"], subject["state"]) == ("erased", "declined")
    assert (await inspect(api, code)).json()["code"] == "invite_revoked"


async def test_a_new_link_revokes_the_old_one(api: RunningApi, filing: Filing, code: str) -> None:
    await api.desk.invite(filing, filing.subjects[0])
    answer = await inspect(api, code)
    assert (answer.status_code, answer.json()["code"]) == (410, "invite_revoked")


@pytest.mark.parametrize(
    "forge", [lambda code: code[:-1] + ("A" if code[-1] != "A" else "B"), lambda _: "x", str.upper]
)
async def test_a_forged_link_is_unknown(api: RunningApi, code: str, forge: Any) -> None:
    answer = await inspect(api, forge(code))
    assert (answer.status_code, answer.json()["code"]) == (404, "invite_unknown")


async def test_an_unusable_photo_reaches_person_and_client_by_name(api: RunningApi) -> None:
    blank = BytesIO()
    Image.new("RGB", (300, 400), (90, 120, 150)).save(blank, "JPEG")
    filing = await api.desk.open(registrant(blank.getvalue()))
    answer = await consent(api, await api.desk.invite(filing, filing.subjects[0]))
    assert (answer.status_code, answer.json()["code"]) == (422, "reference_unusable")
    subject = (await api.desk.state(filing))["subjects"][0]
    assert (subject["state"], subject["reference_reason"]) == ("reference_unusable", "face_none")


async def test_inspecting_tells_when_no_attempt_is_left(api: RunningApi, code: str) -> None:
    await consent(api, code)
    assert (await inspect(api, code)).json()["ended"] is None
    grant = (await exchange(api, code)).json()["grant"]
    for _ in range(3):
        await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant}"})
    seen = (await inspect(api, code)).json()
    assert (seen["ended"], seen["attempts_left"]) == ("attempts_exhausted", 0)


async def test_a_poor_photo_is_taken_and_its_client_told_what_to_mend(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    blurred, coded = BytesIO(), BytesIO(portraits["person_b_1"])
    Image.open(coded).filter(ImageFilter.GaussianBlur(7)).save(blurred, "JPEG", quality=95)
    filing = await api.desk.open(registrant(blurred.getvalue()))
    before = (await api.desk.state(filing))["subjects"][0]
    assert before["reference_warnings"] == []
    assert (await consent(api, await api.desk.invite(filing, filing.subjects[0]))).status_code == 200
    subject = (await api.desk.state(filing))["subjects"][0]
    assert subject["reference_state"] == "template"
    (warning,) = subject["reference_warnings"]
    assert warning["code"] == "sharpness"
    assert "scan it again" in warning["advice"]


async def test_the_way_back_is_on_an_origin_that_was_registered(api: RunningApi, filing: Filing) -> None:
    path, way = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites", "https://registry.example/filings/7"
    refused = await api.http.post(path, json={"return_url": way})
    assert (refused.status_code, refused.json()["code"]) == (422, "return_url_refused")
    key = api.http.headers["Authorization"].removeprefix("Bearer ")
    client = await api.services.clients.authenticate(key)
    await api.services.clients.let_return_to(client.id, ["https://registry.example"])
    issued = await api.http.post(path, json={"return_url": way})
    assert (await inspect(api, issued.json()["code"])).json()["return_url"] == way
    assert (await inspect(api, (await api.http.post(path)).json()["code"])).json()["return_url"] is None
