from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from running_service import RunningApi

from benchmarks.registration import DOCUMENT

NOW = datetime.now(UTC)
DEPUTY = {"type": "passport", "number": "E12345678"}
APPOINTMENT = {
    "deputy": {"name": "李四", "id_document": DEPUTY},
    "principal": {"name": "王五", "id_document": {"type": "passport", "number": "E2"}},
    "actions": ["capital.increase"],
    "valid_from": (NOW - timedelta(days=1)).isoformat(),
    "valid_until": (NOW + timedelta(days=1)).isoformat(),
}


def deputed(photo: bytes, appointment: str) -> dict[str, Any]:
    subject = {
        "name": "李四",
        "role": "shareholder",
        "id_document": DEPUTY,
        "appointment": appointment,
        "reference": {"photo": b64encode(photo).decode(), "provenance": "authority"},
    }
    return {"action": "capital.increase", "document_sha256": DOCUMENT, "subjects": [subject]}


async def test_a_deputy_stands_for_a_principal_until_revoked(api: RunningApi, portraits: dict[str, bytes]) -> None:
    answer = await api.http.post("/v1/deputies", json=APPOINTMENT)
    appointment = answer.json()
    assert (answer.status_code, appointment["principal"]["name_masked"], appointment["revoked_at"]) == (
        201,
        "王*",
        None,
    )
    assert "王五" not in answer.text
    assert "E12345678" not in answer.text
    sent = deputed(portraits["person_a_1"], appointment["id"])
    case = (await api.http.post("/v1/cases", json=sent)).json()
    behalf = {"kind": "deputy", "id": appointment["id"], "name": "王*"}
    assert case["subjects"][0]["on_behalf_of"] == behalf
    revoked = await api.http.post(f"/v1/deputies/{appointment['id']}/revoke")
    assert revoked.json()["revoked_at"]
    assert (await api.http.get(f"/v1/deputies/{appointment['id']}")).json() == revoked.json()
    refused = await api.http.post(f"/v1/cases/{case['id']}/subjects/{case['subjects'][0]['id']}/invites")
    assert (refused.status_code, refused.json()["code"]) == (403, "deputy_not_appointed")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"valid_until": NOW.isoformat()}, "appointment_invalid"),
        ({"actions": ["company.explode"]}, "action_unknown"),
        ({"actions": []}, "request_invalid"),
        ({"principal": None}, "request_invalid"),
    ],
)
async def test_an_appointment_that_cannot_be_is_refused(api: RunningApi, changes: dict[str, Any], code: str) -> None:
    answer = await api.http.post("/v1/deputies", json={**APPOINTMENT, **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_unknown_appointment_is_unknown(api: RunningApi, portraits: dict[str, bytes]) -> None:
    found = await api.http.get("/v1/deputies/dep_x")
    opened = await api.http.post("/v1/cases", json=deputed(portraits["person_a_1"], "dep_x"))
    assert [answer.json()["code"] for answer in (found, opened)] == ["appointment_unknown"] * 2
