"""`ETag`, `If-None-Match` and `If-Match` on cases, and lists of cases."""

import asyncio

import pytest
from registry_office import CONVINCING
from running_service import RunningApi, registrant

from api.preconditions import entity_tag
from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing
from verify.cases import case_view

CANCEL = {"reason": "withdrawn"}
OWNER = {
    "kind": "organisation",
    "name": "示例投资有限公司",
    "role": "shareholder",
    "credit_code": "91310000775785552L",
}
PERSON = {"name": "李四", "role": "shareholder", "id_document": {"type": "passport", "number": "E12345678"}}


async def tag_of(api: RunningApi, filing: Filing) -> str:
    return (await api.http.get(f"/v1/cases/{filing.id}")).headers["etag"]


async def test_an_unchanged_case_is_not_sent_again(api: RunningApi, filing: Filing) -> None:
    path = f"/v1/cases/{filing.id}"
    tag = await tag_of(api, filing)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await api.http.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    other = await api.http.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.json()["id"]) == (200, filing.id)


async def test_the_tag_is_described(api: RunningApi) -> None:
    answers = (await api.http.get("/openapi.json")).json()["paths"]["/v1/cases/{case_id}"]["get"]["responses"]
    assert {status for status in answers if "ETag" in answers[status].get("headers", {})} == {"200", "304"}


async def test_every_change_makes_another_tag(api: RunningApi, filing: Filing) -> None:
    tags = [await tag_of(api, filing)]
    phone = Phone(http=api.http, actor=Actor, rng=None)
    grant = await phone.agree(await api.desk.invite(filing, filing.subjects[0]))
    tags.append(await tag_of(api, filing))
    opened = await phone.open(grant)
    claim = await api.services.sessions.claim(opened.session_id, opened.secret)
    await api.services.sessions.finish(claim, CONVINCING)
    tags.append(await tag_of(api, filing))
    await api.services.store.bump_epoch()  # a backup was restored: the verification is void, and nothing was written
    tags.append(await tag_of(api, filing))
    assert len(set(tags)) == 4
    assert tags[-1] == await tag_of(api, filing)


async def test_a_link_that_ran_out_makes_another_tag(api: RunningApi, filing: Filing) -> None:
    await api.desk.invite(filing, filing.subjects[0])
    file, now = await api.services.store.load(filing.id)
    (link,) = file.invites.values()
    tags = {entity_tag(case_view(file, now=at, epoch=0)) for at in (now, link.expires_at - 1, link.expires_at)}
    assert len(tags) == 2


@pytest.mark.parametrize("form", ["{tag}", '"other", {tag}', "*"])
async def test_a_case_that_is_as_it_was_read_changes(api: RunningApi, filing: Filing, form: str) -> None:
    headers = {"If-Match": form.format(tag=await tag_of(api, filing))}
    answer = await api.http.post(f"/v1/cases/{filing.id}/cancel", json=CANCEL, headers=headers)
    assert answer.json()["state"] == "cancelled"


@pytest.mark.parametrize("form", ['"other"', "W/{tag}", "{tag}x", ""])
async def test_a_case_that_is_not_stays_as_it_is(api: RunningApi, filing: Filing, form: str) -> None:
    headers = {"If-Match": form.format(tag=await tag_of(api, filing))}
    answer = await api.http.post(f"/v1/cases/{filing.id}/cancel", json=CANCEL, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert (await api.desk.state(filing))["state"] == "open"


async def test_of_two_clerks_with_the_same_view_one_wins(api: RunningApi, filing: Filing) -> None:
    headers = {"If-Match": await tag_of(api, filing)}
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    answers = await asyncio.gather(*(api.http.post(path, headers=headers) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 7


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"metadata": {"window": "3"}}),
        ("POST", "/subjects", OWNER),
        ("PUT", "/subjects/{subject}", PERSON),
        ("DELETE", "/subjects/{subject}", None),
    ],
)
async def test_a_changed_case_is_not_amended(
    api: RunningApi, filing: Filing, method: str, path: str, body: dict[str, object] | None
) -> None:
    url = f"/v1/cases/{filing.id}{path.format(subject=filing.subjects[0])}"
    stale = {"If-Match": await tag_of(api, filing)}
    await api.desk.invite(filing, filing.subjects[0])
    before = await tag_of(api, filing)
    answer = await api.http.request(method, url, json=body, headers=stale)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert await tag_of(api, filing) == before


async def test_an_unknown_case_is_unknown_before_it_is_another_version(api: RunningApi) -> None:
    answer = await api.http.post("/v1/cases/case_x/cancel", json=CANCEL, headers={"If-Match": '"other"'})
    assert (answer.status_code, answer.json()["code"]) == (404, "case_unknown")


async def test_cases_are_listed_newest_first_by_page(api: RunningApi, portraits: dict[str, bytes]) -> None:
    filings = [await api.desk.open(registrant(portraits["person_a_1"])) for _ in range(3)]
    first = (await api.http.get("/v1/cases", params={"limit": 2})).json()
    second = (await api.http.get("/v1/cases", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [case["id"] for case in first["cases"]] == [filings[2].id, filings[1].id]
    assert [case["id"] for case in second["cases"]] == [filings[0].id]
    assert second["next_cursor"] is None
    assert second["cases"][0] == (await api.http.get(f"/v1/cases/{filings[0].id}")).json()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"limit": 0}, "request_invalid"),
        ({"limit": 101}, "request_invalid"),
        ({"state": "asleep"}, "request_invalid"),
        ({"cursor": "x"}, "cursor_invalid"),
    ],
)
async def test_a_list_that_cannot_be_asked_for_is_refused(api: RunningApi, asked: dict[str, object], code: str) -> None:
    answer = await api.http.get("/v1/cases", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_state_can_be_asked_for(api: RunningApi, filing: Filing, portraits: dict[str, bytes]) -> None:
    other = await api.desk.open(registrant(portraits["person_a_1"]))
    await api.http.post(f"/v1/cases/{other.id}/cancel", json=CANCEL)
    found = (await api.http.get("/v1/cases", params={"state": "open"})).json()["cases"]
    assert [case["id"] for case in found] == [filing.id]
