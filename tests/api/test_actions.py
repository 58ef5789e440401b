from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from running_service import RunningApi, running_api

from api.settings import Settings
from models.engine import Engine

PLEDGE = {
    "name": "client.pledge.register",
    "zh": "办理股权出质登记",
    "en": "register a pledge of shares",
    "roles": {"pledgee": {"zh": "质权人", "en": "pledgee"}},
    "required_roles": {"pledgee": 1},
}


async def test_an_action_is_registered_once_and_listed(api: RunningApi) -> None:
    first, again = [await api.http.post("/v1/actions", json=PLEDGE) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, {**PLEDGE, "statutory": False, "must_verify": {}})
    assert again.json() == first.json()
    changed = await api.http.post("/v1/actions", json={**PLEDGE, "en": "take a loan"})
    assert (changed.status_code, changed.json()["code"]) == (409, "action_exists")
    listed = {action["name"]: action for action in (await api.http.get("/v1/actions")).json()["actions"]}
    assert listed[PLEDGE["name"]] == first.json()
    assert listed["company.establish"]["required_roles"]["finance_head"] == 1
    assert listed["company.establish"]["must_verify"] == "all"


async def test_the_operators_minimum_rules_count(engine: Engine, api_store_url: str, shared_home: Path) -> None:
    shipped = files("verify").joinpath("minimum_rules.toml").read_text("utf-8")
    path = shared_home / "minimum.toml"
    path.write_text(shipped.replace("finance_head = 1", "finance_head = 2"), "utf-8")
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, workers=1, minimum_rules=path)
    async with running_api(settings, engine) as api:
        listed = {action["name"]: action for action in (await api.http.get("/v1/actions")).json()["actions"]}
    assert listed["company.establish"]["required_roles"]["finance_head"] == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "company.establish"}, "action_invalid"),
        ({"en": "a\nb"}, "text_invalid"),
        ({"roles": {"agent": {"zh": "人", "en": "man"}}}, "action_invalid"),
        ({"statutory": True}, "request_invalid"),
        ({"required_roles": {"pledgee": "many"}}, "request_invalid"),
    ],
)
async def test_an_action_that_cannot_be_is_refused(api: RunningApi, changes: dict[str, Any], code: str) -> None:
    answer = await api.http.post("/v1/actions", json={**PLEDGE, **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
