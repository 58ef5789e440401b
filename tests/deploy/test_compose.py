"""compose.yaml fits what it refers to: files, services, secrets, settings of the service, replicas of the proxy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MADE_BY_THE_OPERATOR = "./secrets/"


def replicas() -> set[str]:
    return {name for name in SERVICES if name.startswith("heyan-")}


def test_proxy_and_prometheus_know_every_replica() -> None:
    assert len(replicas()) == 2
    upstream = (DEPLOY / "nginx" / "upstream.conf").read_text("utf-8")
    for block in re.findall(r"upstream \w+ \{(.*?)\n\}", upstream, re.DOTALL):
        assert set(re.findall(r"server ([\w-]+):8420 ", block)) == replicas()
    passed = set(re.findall(r"proxy_pass http://(\w+);", (DEPLOY / "nginx" / "nginx.conf").read_text("utf-8")))
    assert passed == set(re.findall(r"upstream (\w+) ", upstream))
    scraped = yaml.safe_load((DEPLOY / "monitoring" / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert set(scraped[0]["static_configs"][0]["targets"]) == {f"{name}:8420" for name in replicas()}


def test_settings_of_the_replicas_exist_and_can_be_used(tmp_path: Path) -> None:
    for name in replicas():
        given = SERVICES[name]["environment"]
        assert {key.removeprefix(PREFIX).lower() for key in given} <= set(Settings.model_fields)
        values = {key.removeprefix(PREFIX).lower(): value for key, value in given.items()}
        Settings(**{**values, "public_url": "https://verify.example", "data_dir": tmp_path})


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_refers_to_what_there_is_and_gives_up_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert set(service.get("depends_on", ())) <= SERVICES.keys()
    assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
    assert set(re.findall(r"/run/secrets/(\w+)", repr(service))) <= set(service.get("secrets", ()))
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert source.startswith(MADE_BY_THE_OPERATOR) or (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source
    assert re.search(r":\$\{\w+:-[\w.-]+\}$|:-heyan:latest\}$", service["image"]), "an image needs a version"


def test_the_store_is_durable_has_a_password_and_no_way_out() -> None:
    store = SERVICES["valkey"]
    assert "appendfsync always" in repr(store["command"])
    assert "requirepass $$(cat /run/secrets/store_password)" in repr(store["command"])
    assert (store["networks"], COMPOSE["networks"]["inner"]["internal"], "ports" in store) == (["inner"], True, False)


def test_secrets_are_files_outside_of_version_control() -> None:
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith(MADE_BY_THE_OPERATOR)
    assert "deploy/secrets/" in (DEPLOY.parent / ".gitignore").read_text("utf-8").splitlines()


def test_stopping_waits_for_live_sessions() -> None:
    drain = Settings.model_fields["drain_seconds"].default
    for name in replicas():
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > drain
