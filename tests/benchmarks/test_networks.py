import json
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.networks import COMPILED, PLAIN, WIDE, Raced
from benchmarks.timing import Timed

FAR = 1e-3
FAR_IN_BYTES = 0.03
"""Of the root mean square of all outputs, where weights in 8 bits were chosen on this machine."""


def test_the_bench_runs_each_network_all_ways_and_finds_the_same(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = CliRunner().invoke(app, ["networks", "--rounds", "3", "--json", str(figures)])
    assert result.exit_code == 0, result.output
    content = json.loads(figures.read_text("utf-8"))
    assert set(content["networks"]) == {"yunet_2023mar", "sface_2021dec"}
    for network in content["networks"].values():
        assert network["compiled_to_plain"] > 0
        assert network["apart"][PLAIN] < (FAR_IN_BYTES if WIDE in network["apart"] else FAR)
        assert network["apart"][COMPILED] == 0
    assert content["networks"]["sface_2021dec"]["apart"][PLAIN] > 0, "the compiled graph is another one"


def test_a_ratio_is_ours_over_theirs() -> None:
    raced = Raced(name="any", size=(1, 1), timed={COMPILED: Timed((1.0, 2.0)), PLAIN: Timed((2.0, 4.0))}, apart={})
    assert raced.ratio(PLAIN) == 0.5


def test_an_unknown_pack_is_explained() -> None:
    result = CliRunner().invoke(app, ["networks", "--pack", "nothing"])
    assert result.exit_code == 2
    assert "nothing" in result.output
