import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.capacity import TOWNS, Demand, need
from benchmarks.cli import app
from benchmarks.load.costs import Costs

COSTS = Costs(verifications=1, cpu_s=7.0, up_bytes=4.5e6, store_bytes=2**20, log_bytes=2**21, session_seconds=30.0)
HOURLY = Demand(name="an hour", people=3600, days=1, busiest_day=1, busiest_hour=1)


def test_one_a_second_of_seven_processor_seconds_takes_ten_cores_at_seven_tenths() -> None:
    found = need(HOURLY, COSTS, cores_a_machine=4)
    assert found.an_hour == 3600
    assert found.live_at_once == pytest.approx(30)
    assert (found.cores, found.machines) == (pytest.approx(10), 4)
    assert found.up_mbit == pytest.approx(36)
    assert (found.store_gib, found.log_gib_a_day) == (pytest.approx(3600 / 1024), pytest.approx(7200 / 1024))


def test_a_busy_hour_is_a_share_of_a_busy_day() -> None:
    assert Demand(name="", people=1000, days=10, busiest_day=3, busiest_hour=0.2).peak == pytest.approx(60)


@given(people=st.integers(1, 10**9), more=st.integers(0, 10**9), cores=st.integers(1, 256))
def test_more_people_never_take_less(people: int, more: int, cores: int) -> None:
    few = need(replace(HOURLY, people=people), COSTS, cores_a_machine=cores)
    many = need(replace(HOURLY, people=people + more), COSTS, cores_a_machine=cores)
    assert many.machines >= few.machines >= 2, "one is to spare"
    assert (many.machines - 1) * cores >= many.cores


def test_the_bench_measures_a_real_service_and_reckons_with_it(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    asked = ["capacity", "--verifications", "1", "--people", "500", "--json", str(figures)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    costs = Costs(**content["costs"])
    assert costs.verifications == 1
    assert 0 < costs.cpu_s < 300
    assert costs.up_bytes > 100_000
    assert costs.log_bytes > costs.store_bytes > 1000
    assert len(content["needs"]) == 1 + len(TOWNS)
    assert content["needs"]["yours: 500 people on 250 days"]["people"] == 500
