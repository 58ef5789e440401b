"""Checkpoints over HTTP."""

import pytest
from running_service import RunningApi, registrant

from verify.merkle import is_consistent


async def checkpointed(api: RunningApi, portraits: dict[str, bytes], count: int) -> None:
    for _ in range(count):
        await api.desk.open(registrant(portraits["person_a_1"]))
        await api.services.sequencer.round()


async def newest(api: RunningApi) -> int:
    found = await api.services.checkpoints.newest()
    return found.claims.n if found else 0


async def test_checkpoints_are_listed_in_pages(api: RunningApi, portraits: dict[str, bytes]) -> None:
    await checkpointed(api, portraits, 3)
    last = await newest(api)
    page = (await api.http.get("/v1/checkpoints", params={"after": last - 3, "limit": 2})).json()["checkpoints"]
    assert [each["number"] for each in page] == [last - 2, last - 1]
    assert page[0]["checkpoint"].count(".") == 2


async def test_a_checkpoint_comes_with_the_proof_that_it_continues_another(
    api: RunningApi, portraits: dict[str, bytes]
) -> None:
    await checkpointed(api, portraits, 3)
    last = await newest(api)
    old = (await api.http.get(f"/v1/checkpoints/{last - 2}")).json()
    new = (await api.http.get(f"/v1/checkpoints/{last}", params={"continues": last - 2})).json()
    path = [bytes.fromhex(each) for each in new["consistency"]]
    roots = {"old_root": bytes.fromhex(old["root"]), "new_root": bytes.fromhex(new["root"])}
    assert is_consistent(old=old["size"], new=new["size"], path=path, **roots)
    assert (await api.http.get("/v1/checkpoints/1")).json()["continues"] == 0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/checkpoints/999999999", 404, "checkpoint_unknown"),
        ("/v1/checkpoints/0", 404, "checkpoint_unknown"),
        ("/v1/checkpoints/x", 422, "request_invalid"),
        ("/v1/checkpoints?limit=0", 422, "request_invalid"),
        ("/v1/checkpoints?after=-1", 422, "request_invalid"),
    ],
)
async def test_bad_numbers_are_named(api: RunningApi, path: str, status: int, code: str) -> None:
    answer = await api.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_checkpoints_are_for_clients(api: RunningApi) -> None:
    answer = await api.http.get("/v1/checkpoints", headers={"Authorization": ""})
    assert answer.status_code == 401
