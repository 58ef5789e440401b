"""The way to Ray Serve, where there is no Ray. Where there is: `test_ray.py`."""

import sys
from pathlib import Path

import pytest

from api import diagnosis
from api.composition import open_engine
from api.settings import Settings
from models.errors import ModelError
from models.remote.ray_client import require_ray


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
