"""The main job end to end, as `make demo` plays it: a real service, phones over the network, every refusal."""

from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.commands.demo import cast_of
from benchmarks.demo import play
from benchmarks.photos import people_of
from benchmarks.service import ServiceError, running_service
from models.engine import Engine


async def test_every_line_of_the_demo_holds(portraits: dict[str, bytes], engine: Engine, tmp_path: Path) -> None:
    cast = cast_of(people_of(portraits))
    with running_service(tmp_path / "data dir") as service:
        lines = await play(cast, service, engine, rng=Random(1))
        log = service.log.read_text("utf-8")
    assert [line for line in lines if not line.holds] == []
    assert len(lines) == 11
    assert "person" not in log.lower().replace("personal", "")


def test_the_cast_has_two_photos_wherever_there_are_two(portraits: dict[str, bytes]) -> None:
    cast = cast_of(people_of(portraits))
    assert (len(cast.first.photos), len(cast.second.photos)) == (2, 2)
    assert cast.impostor not in (*cast.first.photos, *cast.second.photos)


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="setting_unknown"), running_service(tmp_path / "data", colour="red"):
        pass


def test_too_few_photos_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--photos", str(tmp_path)])
    assert result.exit_code == 2
    assert "photos_insufficient" in result.stderr
