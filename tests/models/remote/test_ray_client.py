"""The way to Ray Serve, where there is no Ray. Where there is: `test_ray.py`."""

import sys
from pathlib import Path
from threading import Event

import pytest

from api import diagnosis
from api.composition import open_engine
from api.settings import Settings
from models.errors import EngineUnavailableError, ModelError
from models.remote import ray_client
from models.remote.ray_client import RayFarm, require_ray


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)


@pytest.mark.usefixtures("without_ray")
def test_the_package_that_is_missing_is_named(tmp_path: Path) -> None:
    for ask in (require_ray, lambda: open_engine(Settings(data_dir=tmp_path, engine="ray"))):
        with pytest.raises(ModelError, match=r"pip install 'heyan\[ray\]'") as caught:
            ask()
        assert caught.value.code == "engine_missing"


@pytest.mark.usefixtures("without_ray")
def test_the_doctor_names_it_and_asks_for_no_weights(tmp_path: Path) -> None:
    (finding,) = diagnosis.check_engine(Settings(data_dir=tmp_path, engine="ray"))
    assert (finding.check, finding.ok, finding.found) == ("ray", False, "engine_missing")
    assert "heyan[ray]" in finding.advice
    assert [each.check for each in diagnosis.check_engine(Settings(data_dir=tmp_path))] == ["provider", "weights"]


def test_a_cluster_that_lets_nobody_join_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    there, joins = Event(), list[str]()

    def join(address: str, application: str) -> object:
        joins.append(f"{address} {application}")
        there.wait(20)
        return object()

    monkeypatch.setattr(ray_client, "_join", join)
    monkeypatch.setattr(ray_client, "JOIN_SECONDS", 0.05)
    farm = RayFarm("10.0.0.10:6379", application="heyan", seconds=1.0)
    for _ in range(2):
        with pytest.raises(EngineUnavailableError, match="was not joined") as caught:
            farm.describe()
        assert "10.0.0.10" not in str(caught.value)
        assert "10.0.0.10:6379" in caught.value.for_operators
    there.set()
    assert joins == ["10.0.0.10:6379 heyan"]


def test_a_join_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def join(address: str, application: str) -> object:
        raise ConnectionError(f"attempt {next(attempts)}")

    attempts = iter((1, 2))
    monkeypatch.setattr(ray_client, "_join", join)
    farm = RayFarm("auto", application="heyan", seconds=1.0)
    for attempt in (1, 2):
        with pytest.raises(EngineUnavailableError, match="ConnectionError") as caught:
            farm.describe()
        assert caught.value.reason == f"attempt {attempt}"
