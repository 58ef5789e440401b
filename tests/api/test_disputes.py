from dataclasses import replace

from running_service import RunningApi, registrant

from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing, new_case
from verify.patience import FREE_ATTEMPTS


async def granted(api: RunningApi, filing: Filing) -> str:
    phone = Phone(http=api.http, actor=Actor, rng=None)
    return (await phone.agree(await api.desk.invite(filing, filing.subjects[0]))).secret


async def test_a_person_reports_that_it_was_not_they_without_any_key(api: RunningApi, filing: Filing) -> None:
    subject = filing.subjects[0]
    issued = await api.http.post(f"/v1/cases/{filing.id}/subjects/{subject}/dispute-links")
    assert issued.status_code == 201
    assert (await api.desk.state(filing))["subjects"][0]["disputed"] is False
    code = {"code": issued.json()["code"]}
    no_key = {"Authorization": ""}
    seen = await api.http.post("/v1/disputes/inspect", json=code, headers=no_key)
    assert (seen.status_code, seen.json()["disputed_at"], seen.json()["verified_at"]) == (200, None, None)
    assert seen.json()["intent"]["zh"]
    reported = await api.http.post("/v1/disputes", json=code, headers=no_key)
    assert (reported.status_code, reported.json()["disputed_at"] is None) == (200, False)
    assert (await api.http.post("/v1/disputes", json=code, headers=no_key)).json() == reported.json()
    assert (await api.desk.state(filing))["subjects"][0]["disputed"] is True


async def test_a_link_shows_and_marks_nobody_who_was_put_in_its_persons_place(
    api: RunningApi, filing: Filing, portraits: dict[str, bytes]
) -> None:
    place = filing.subjects[0]
    issued = await api.http.post(f"/v1/cases/{filing.id}/subjects/{place}/dispute-links")
    code = {"code": issued.json()["code"]}
    shown = (await api.http.post("/v1/disputes/inspect", json=code)).json()
    newcomer = new_case(replace(registrant(portraits["person_b_1"], id_number="E7"), name="欧阳修"))["subjects"][0]
    assert (await api.http.put(f"/v1/cases/{filing.id}/subjects/{place}", json=newcomer)).status_code == 200
    assert (await api.http.post("/v1/disputes/inspect", json=code)).json() == shown
    reported = (await api.http.post("/v1/disputes", json=code)).json()
    assert (reported["name_masked"], reported["disputed_at"] is None) == (shown["name_masked"], False)
    subject = (await api.desk.state(filing))["subjects"][0]
    assert (subject["name_masked"], subject["disputed"]) == ("欧**", False)


async def test_a_code_that_nobody_gave_is_unknown(api: RunningApi) -> None:
    for path in ("/v1/disputes", "/v1/disputes/inspect"):
        refused = await api.http.post(path, json={"code": "k3v9x2m7q4t8w6z1.p5r7t9v1.Zm9v"})
        assert (refused.status_code, refused.json()["code"]) == (404, "dispute_unknown")


async def test_a_device_without_a_proper_name_is_told_so(api: RunningApi, filing: Filing) -> None:
    grant = await granted(api, filing)
    headers = {"Authorization": f"Bearer {grant}", "Heyan-Device": "phone"}
    refused = await api.http.post("/v1/sessions", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "device_invalid")


async def test_too_many_attempts_are_told_when_to_come_back(api: RunningApi, filing: Filing) -> None:
    for _ in range(2):
        grant = await granted(api, filing)
        headers = {"Authorization": f"Bearer {grant}"}
        answers = [await api.http.post("/v1/sessions", headers=headers) for _ in range(FREE_ATTEMPTS // 2 + 1)]
        api.services.live.admission.close()  # the places that nobody claimed, before their ten seconds are over
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1].json()["code"] == "attempts_too_fast"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 30
