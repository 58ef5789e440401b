import os
import signal
import sqlite3

import httpx
import pytest
from running_service import RunningApi, registrant

from benchmarks.registration import Registrant


async def test_a_good_service_is_alive_and_ready(api: RunningApi) -> None:
    assert (await api.http.get("/healthz")).json() == {"status": "ok"}
    ready = await api.http.get("/readyz")
    assert ready.status_code == 200
    assert {check["name"] for check in ready.json()["checks"]} == {
        "store",
        "durability",
        "clock",
        "keys",
        "checkpoints",
        "schema",
        "faces",
        "models",
        "accepting",
    }


async def test_a_draining_service_is_not_ready(api: RunningApi) -> None:
    api.services.live.admission.draining = True
    ready = await api.http.get("/readyz")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
    assert [check["name"] for check in ready.json()["checks"] if not check["ok"]] == ["accepting"]


async def test_a_service_whose_newest_checkpoint_is_not_its_own_is_not_ready(
    embedded_api: RunningApi, portraits: dict[str, bytes]
) -> None:
    api, ledger = embedded_api, embedded_api.services.store.ledger
    await api.desk.open(registrant(portraits["person_a_1"]))
    await api.services.sequencer.round()
    await ledger.connection.ask("LSET", ledger._key("checkpoints"), -1, "e30.e30.AA")
    ready = await api.http.get("/readyz")
    (ill,) = [check for check in ready.json()["checks"] if not check["ok"]]
    assert (ready.status_code, ill["name"], "heyan audit verify" in ill["detail"]) == (503, "checkpoints", True)


async def test_clients_are_told_no_paths_of_keys_that_are_ill(
    embedded_api: RunningApi, portraits: dict[str, bytes]
) -> None:
    folder = embedded_api.services.settings.data_dir
    with sqlite3.connect(folder / "keys" / "shelf.db") as shelf:
        shelf.execute("DROP TABLE seeds")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await embedded_api.desk.open(registrant(portraits["person_a_1"]))
    answer = caught.value.response
    assert (answer.status_code, answer.json()["code"]) == (503, "key_damaged")
    assert ("heyan doctor" in answer.text, str(folder) in answer.text, "shelf" in answer.text) == (True, False, False)


async def test_a_dead_store_is_503_and_nothing_is_lost_when_it_is_back(
    embedded_api: RunningApi, portraits: dict[str, bytes]
) -> None:
    api = embedded_api
    person = Registrant(name="张三", role="shareholder", id_number="E1", photo=portraits["person_a_1"])
    filing = await api.desk.open(person)
    server = api.services.store._embedded._server  # the very process, to kill it as the system would
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGKILL)
    refused = await api.http.post(f"/v1/cases/{filing.id}/cancel", json={"reason": "mistake"})
    if refused.status_code == 503:  # the supervisor may be faster than the request
        assert refused.json()["code"] == "store_unavailable"
        assert int(refused.headers["retry-after"]) >= 1
    for _ in range(50):
        found = await api.http.get(f"/v1/cases/{filing.id}")
        if found.status_code == 200:
            break
    assert found.json()["id"] == filing.id


async def test_metrics_name_routes_and_no_ids(api: RunningApi) -> None:
    await api.http.get("/v1/cases/case_aaaaaaaaaaaaaaaa")
    text = (await api.http.get("/metrics")).text
    assert 'route="/v1/cases/{case_id}"' in text
    assert "case_aaaaaaaaaaaaaaaa" not in text
