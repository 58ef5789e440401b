from base64 import b64encode
from typing import Any

import pytest
from running_service import RunningApi, registrant

from benchmarks.registration import DOCUMENT, Filing


def body(photo: bytes, **changes: Any) -> dict[str, Any]:
    subject = {
        "name": "张三丰",
        "role": "shareholder",
        "id_document": {"type": "passport", "number": "E12345678"},
        "reference": {"photo": b64encode(photo).decode(), "provenance": "authority"},
    }
    return {"action": "capital.increase", "document_sha256": DOCUMENT, "subjects": [subject], **changes}


async def test_a_case_is_created_and_read_back(api: RunningApi, portraits: dict[str, bytes]) -> None:
    created = await api.http.post("/v1/cases", json=body(portraits["person_a_1"], external_id="2026-1"))
    assert created.status_code == 201
    case = created.json()
    assert (case["state"], case["external_id"], case["subjects"][0]["state"]) == ("open", "2026-1", "pending")
    assert (await api.http.get(f"/v1/cases/{case['id']}")).json() == case


async def test_names_and_numbers_come_back_masked_only(api: RunningApi, filing: Filing) -> None:
    text = (await api.http.get(f"/v1/cases/{filing.id}")).text
    assert "张三丰" not in text
    assert "E12345678" not in text
    assert "张**" in text


async def test_a_case_is_cancelled_once(api: RunningApi, filing: Filing) -> None:
    cancelled = await api.http.post(f"/v1/cases/{filing.id}/cancel", json={"reason": "withdrawn"})
    assert (cancelled.json()["state"], cancelled.json()["reason"]) == ("cancelled", "withdrawn")
    again = await api.http.post(f"/v1/cases/{filing.id}/cancel", json={"reason": "withdrawn"})
    assert (again.status_code, again.json()["code"]) == (409, "case_not_open")


async def test_another_client_sees_nothing(api: RunningApi, filing: Filing) -> None:
    _, key = await api.services.clients.create("window 2", mode="live")
    answer = await api.http.get(f"/v1/cases/{filing.id}", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "case_unknown")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": "company.explode"}, "action_unknown"),
        ({"rule": {"kind": "k_of_n", "k": 2}}, "rule_invalid"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline_invalid"),
        ({"deadline": "2020-01-01T00:00:00"}, "deadline_invalid"),
        ({"subjects": []}, "request_invalid"),
        ({"document_sha256": "short"}, "request_invalid"),
        ({"colour": "red"}, "request_invalid"),
    ],
)
async def test_a_case_that_cannot_be_is_refused(
    api: RunningApi, portraits: dict[str, bytes], changes: dict[str, Any], code: str
) -> None:
    answer = await api.http.post("/v1/cases", json=body(portraits["person_a_1"], **changes))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_one_passport_with_its_state_and_without_is_refused_on_a_roster(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    sent = body(portraits["person_a_1"], rule={"kind": "all"})
    (bare,) = sent["subjects"]
    stated = {**bare, "role": "director", "id_document": {**bare["id_document"], "issuing_state": "CHN"}}
    refused = await api.http.post("/v1/cases", json={**sent, "subjects": [bare, stated]})
    assert (refused.status_code, refused.json()["code"]) == (422, "passport_state_missing")
    assert all(named in refused.json()["detail"] for named in ("person 1 of the roster", "and person 2 "))
    case = (await api.http.post("/v1/cases", json=sent)).json()
    added = await api.http.post(f"/v1/cases/{case['id']}/subjects", json=stated)
    assert (added.status_code, added.json()["code"]) == (422, "passport_state_missing")
    mended = {**bare, "id_document": stated["id_document"]}
    assert (await api.http.post("/v1/cases", json={**sent, "subjects": [mended, stated]})).status_code == 201


async def test_an_unknown_field_is_named(api: RunningApi, portraits: dict[str, bytes]) -> None:
    answer = await api.http.post("/v1/cases", json=body(portraits["person_a_1"], colour="red"))
    assert answer.json()["fields"] == [{"field": "colour", "problem": "Extra inputs are not permitted"}]


async def test_statutory_actions_want_better_photos_than_an_upload(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    uploaded = body(portraits["person_a_1"])
    uploaded["subjects"][0]["reference"]["provenance"] = "client_upload"
    answer = await api.http.post("/v1/cases", json=uploaded)
    assert answer.json()["code"] == "reference_provenance_insufficient"


async def test_a_role_that_does_not_exist_names_those_that_do(api: RunningApi, portraits: dict[str, bytes]) -> None:
    with_role = body(portraits["person_a_1"])
    with_role["subjects"][0]["role"] = "king"
    answer = (await api.http.post("/v1/cases", json=with_role)).json()
    assert answer["code"] == "roster_invalid"
    assert "legal_representative" in answer["detail"]


async def test_an_invite_leads_to_the_public_address_with_its_code_in_the_fragment(
    api: RunningApi, filing: Filing
) -> None:
    answer = await api.http.post(f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites")
    issued = answer.json()
    assert answer.status_code == 201
    assert issued["url"] == f"{api.services.public_url}/#{issued['code']}"


async def test_an_unknown_subject_has_no_invite(api: RunningApi, filing: Filing) -> None:
    answer = await api.http.post(f"/v1/cases/{filing.id}/subjects/sub_nobody/invites")
    assert (answer.status_code, answer.json()["code"]) == (404, "subject_unknown")


async def test_several_people_have_ids_of_their_own(api: RunningApi, portraits: dict[str, bytes]) -> None:
    photo = portraits["person_a_1"]
    filing = await api.desk.open(registrant(photo), registrant(photo, role="legal_representative"))
    assert len(set(filing.subjects)) == 2


OWNER = {
    "kind": "organisation",
    "name": "示例投资有限公司",
    "role": "shareholder",
    "credit_code": "91310000775785552L",
    "share_percent": "66.6",
}


async def test_a_case_with_an_organisation_details_and_a_rule_by_role_is_read_back(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    details = {
        "company_name": "示例科技有限公司",
        "registered_capital": {"amount": "5000000", "currency": "CNY"},
        "counterparty": None,
    }
    rule = {"kind": "per_role", "k": None, "roles": {"shareholder": "all"}}
    sent = body(portraits["person_a_1"], details=details, rule=rule, metadata={"window": "3"})
    sent["subjects"] = [OWNER, {**sent["subjects"][0], "signs_for": OWNER["credit_code"]}]
    created = await api.http.post("/v1/cases", json=sent)
    assert created.status_code == 201
    case = created.json()
    assert (case["details"], case["rule"], case["metadata"]) == (details, rule, {"window": "3"})
    assert [each["share_percent"] for each in case["organisations"]] == ["66.6"]
    assert case["subjects"][0]["on_behalf_of"] == {
        "kind": "organisation",
        "id": OWNER["credit_code"],
        "name": OWNER["name"],
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rule": {"kind": "k_of_n", "k": 1}, "action": "company.change"}, "required_role_missing"),
        ({"rule": {"kind": "per_role", "roles": {"king": 1}}}, "rule_invalid"),
        ({"rule": {"kind": "per_role", "roles": {"shareholder": "some"}}}, "request_invalid"),
        ({"details": {"company_name": "公司\n同意"}}, "text_invalid"),
        ({"details": {"registered_capital": {"amount": "1e9"}}}, "amount_invalid"),
        ({"details": {"remark": "free text"}}, "request_invalid"),
        ({"metadata": {f"key{number}": "" for number in range(21)}}, "request_invalid"),
        ({"metadata": {"key": "x" * 501}}, "request_invalid"),
        ({"subjects": [OWNER]}, "roster_invalid"),
        ({"subjects": [{**OWNER, "kind": "cat"}]}, "request_invalid"),
        ({"subjects": ["nobody"]}, "request_invalid"),
    ],
)
async def test_what_a_case_cannot_say_is_refused(
    api: RunningApi, portraits: dict[str, bytes], changes: dict[str, Any], code: str
) -> None:
    answer = await api.http.post("/v1/cases", json=body(portraits["person_a_1"], **changes))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_id_number_that_cannot_be_is_refused_and_not_quoted(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    sent = body(portraits["person_a_1"])
    sent["subjects"][0]["id_document"] = {"type": "cn_resident_id", "number": "110105194912310021"}
    answer = await api.http.post("/v1/cases", json=sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "id_document_invalid")
    assert "110105194912310021" not in answer.text


async def test_a_roster_is_changed_while_the_case_is_open(api: RunningApi, portraits: dict[str, bytes]) -> None:
    opened = body(portraits["person_a_1"], external_id="2026-7")
    case = (await api.http.post("/v1/cases", json=opened)).json()
    path = f"/v1/cases/{case['id']}"
    other = {**opened["subjects"][0], "id_document": {"type": "passport", "number": "E2"}}
    added = await api.http.post(f"{path}/subjects", json=other)
    assert (added.status_code, len(added.json()["subjects"]), added.json()["roster_version"]) == (201, 2, 2)
    newcomer = added.json()["subjects"][1]["id"]
    renamed = {name: value for name, value in other.items() if name != "reference"} | {"name": "李四"}
    replaced = await api.http.put(f"{path}/subjects/{newcomer}", json=renamed)
    assert (replaced.status_code, replaced.json()["subjects"][1]["name_masked"]) == (200, "李*")
    joined = await api.http.post(f"{path}/subjects", json=OWNER)
    assert [each["name"] for each in joined.json()["organisations"]] == [OWNER["name"]]
    removed = await api.http.delete(f"{path}/subjects/{newcomer}")
    assert [subject["id"] for subject in removed.json()["subjects"]] == [case["subjects"][0]["id"]]
    changed = await api.http.patch(path, json={"external_id": "2026-8", "metadata": {"window": "3"}})
    assert (changed.json()["external_id"], changed.json()["document_sha256"]) == ("2026-8", DOCUMENT)
    found = [await api.http.get("/v1/cases", params={"external_id": number}) for number in ("2026-8", "2026-7")]
    assert [[each["id"] for each in answer.json()["cases"]] for answer in found] == [[case["id"]], []]


@pytest.mark.parametrize("changes", [{"state": "completed"}, {"document_sha256": None}, {"deadline": None}])
async def test_a_change_that_cannot_be_is_refused(api: RunningApi, filing: Filing, changes: dict[str, Any]) -> None:
    answer = await api.http.patch(f"/v1/cases/{filing.id}", json=changes)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


async def test_each_case_of_a_batch_succeeds_or_fails_on_its_own(api: RunningApi, portraits: dict[str, bytes]) -> None:
    good = body(portraits["person_a_1"])
    cases = [good, {**good, "action": "company.explode"}, {}, body(b"no photo"), {**good, "external_id": "last"}]
    answer = await api.http.post("/v1/cases/batch", json={"cases": cases})
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 422, 422, 422, 201]
    assert [result["problem"]["code"] for result in results[1:4]] == [
        "action_unknown",
        "request_invalid",
        "image_unsupported",
    ]
    assert results[4]["case"]["external_id"] == "last"
    assert (await api.http.get(f"/v1/cases/{results[0]['case']['id']}")).json() == results[0]["case"]


@pytest.mark.parametrize("count", [0, 51])
async def test_a_batch_has_one_to_fifty_cases(api: RunningApi, count: int) -> None:
    answer = await api.http.post("/v1/cases/batch", json={"cases": [{}] * count})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


PLACES = [
    ({"reference": {"photo": "SECRET###", "provenance": "authority"}}, "reference.photo", "is not base64"),
    ({"reference": {"photo": "", "provenance": "nobody"}}, "reference.provenance", "should be"),
    ({"reference": {"source": "internet"}}, "reference.source", "should be"),
    ({"reference": "SECRET"}, "reference", "must be an object"),
    ({"id_document": {"type": "passport"}}, "id_document.number", "required"),
    ({"kind": "SECRET"}, "", "must be 'person' or 'organisation'"),
]


@pytest.mark.parametrize(("changes", "field", "problem"), PLACES)
@pytest.mark.parametrize("adds", [False, True], ids=["with the case", "later"])
async def test_what_is_wrong_is_told_once_where_it_stands_in_the_body(
    *,
    api: RunningApi,
    filing: Filing,
    portraits: dict[str, bytes],
    changes: dict[str, Any],
    field: str,
    problem: str,
    adds: bool,
) -> None:
    wrong = body(portraits["person_a_1"])
    wrong["subjects"][0] |= changes
    path = f"/v1/cases/{filing.id}/subjects" if adds else "/v1/cases"
    answer = await api.http.post(path, json=wrong["subjects"][0] if adds else wrong)
    (told,) = answer.json()["fields"]
    expected = (field or "body") if adds else f"subjects.0.{field}".rstrip(".")
    assert told["field"] == expected
    assert problem in told["problem"]
    assert "SECRET" not in answer.text


@pytest.mark.parametrize("wrong", ["some", "2", None, 1.5])
async def test_a_rule_that_is_wrong_is_told_by_the_role(
    api: RunningApi, portraits: dict[str, bytes], wrong: object
) -> None:
    rule = {"kind": "per_role", "roles": {"shareholder": wrong}}
    answer = await api.http.post("/v1/cases", json=body(portraits["person_a_1"], rule=rule))
    assert [each["field"] for each in answer.json()["fields"]] == ["rule.roles.shareholder"]


async def test_a_note_with_an_odd_name_is_told_by_its_name(api: RunningApi, portraits: dict[str, bytes]) -> None:
    answer = await api.http.post("/v1/cases", json=body(portraits["person_a_1"], metadata={"a b": "c"}))
    assert [each["field"] for each in answer.json()["fields"]] == ["metadata.a b"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/cases", "GET, POST"),
        ("POST", "/v1/cases/case_x", "GET, PATCH"),
        ("GET", "/v1/cases/case_x/subjects/sub_x", "DELETE, PUT"),
        ("GET", "/v1/tokens/introspect", "POST"),
        ("DELETE", "/web/capture.js", "GET, HEAD"),
    ],
)
async def test_another_method_is_told_those_there_are(api: RunningApi, method: str, path: str, allowed: str) -> None:
    answer = await api.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


async def test_what_the_reference_says_of_cases(api: RunningApi) -> None:
    schemas = (await api.http.get("/openapi.json")).json()["components"]["schemas"]
    changed = schemas["ChangedCaseBody"]["properties"]
    nullable = [name for name, field in changed.items() if {"type": "null"} in field.get("anyOf", [])]
    assert nullable == ["external_id"]
    assert schemas["CaseState"]["enum"] == ["open", "completed", "expired", "cancelled"]
    assert set(schemas["Standing"]["enum"]) >= {"pending", "verified", "redeemed", "declined"}
