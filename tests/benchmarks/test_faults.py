"""The fault suite sees what it looks for: it can fail. One fault is run for real here, `make faults` runs all."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.errands import Told
from benchmarks.faults.link import linked
from benchmarks.faults.trial import Outcome

GOOD = Outcome(
    fault="link_cut",
    redeemed=3,
    redeemed_twice=0,
    wrong=(),
    lost=0,
    chains=3,
    chains_broken=0,
    answers={"store_unavailable": 1},
    recovery_seconds=0.5,
)


@pytest.mark.parametrize(
    "changed",
    [
        {"redeemed": 0},
        {"redeemed_twice": 1},
        {"wrong": ("a second redemption was given",)},
        {"lost": 1},
        {"chains_broken": 1},
        {"recovery_seconds": None},
        {"answers": {}},
    ],
)
def test_whatever_comes_out_wrong_is_seen(changed: dict[str, object]) -> None:
    assert GOOD.holds
    assert not replace(GOOD, **changed).holds  # type: ignore[arg-type]


def test_a_fault_that_nobody_is_meant_to_feel_need_not_be_felt() -> None:
    assert not any(FAULTS[name].felt for name in ("keys_rotated", "link_slow", "store_killed"))
    assert replace(GOOD, fault="keys_rotated", answers={}).holds


def test_a_service_has_recovered_once_every_replica_has_redeemed() -> None:
    told = Told(successes=[(0, 1.0), (1, 2.0), (0, 12.0), (1, 14.5), (0, 15.0)])
    assert told.recovered({0, 1}, since=10.0) == 4.5
    assert told.recovered({0}, since=10.0) == 2.0
    assert told.recovered({0, 1, 2}, since=10.0) is None


def test_what_was_told_after_a_backup_is_forgotten_and_its_redemptions_known() -> None:
    told = Told(cases={"a"}, bodies={"old": {"token": "old"}})
    told.redeemed["old"] += 1
    told.receipts["a"].add("r1")
    before = told.acknowledged()
    told.cases.add("b")
    told.receipts["b"].add("r2")
    told.redeemed["new"] += 1
    told.bodies["new"] = {"token": "new"}
    assert told.keep_only(before) == [{"token": "new"}]
    assert told.cases == {"a"}
    assert dict(told.receipts) == {"a": {"r1"}}


async def test_a_link_passes_bytes_is_slow_when_told_and_cut_when_told(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await writer.drain()
        writer.close()

    async def asked() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "link.sock"))
        writer.write(b"ping")
        try:
            return await reader.read(4)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    server = await asyncio.start_unix_server(echo, str(tmp_path / "store.sock"))
    async with server, linked(tmp_path / "link.sock", tmp_path / "store.sock") as link:
        assert await asked() == b"ping"
        link.delay_seconds = 0.1
        started = monotonic()
        assert await asked() == b"ping"
        assert monotonic() - started >= 0.2
        link.cut()
        assert await asked() == b""
        link.down, link.delay_seconds = False, 0.0
        assert await asked() == b"ping"


def test_the_store_is_killed_under_load_and_nothing_is_lost(tmp_path: Path) -> None:
    kept = tmp_path / "faults.json"
    done = CliRunner().invoke(app, ["faults", "--only", "store_killed", "--callers", "1", "--json", str(kept)])
    assert done.exit_code == 0, done.output
    told = json.loads(kept.read_text("utf-8"))
    assert told["holds"]
    (outcome,) = told["faults"]
    assert outcome["redeemed"] > 0
    assert outcome["chains"] >= outcome["redeemed"]


def test_a_fault_that_is_not_known_is_named() -> None:
    done = CliRunner().invoke(app, ["faults", "--only", "earthquake"])
    assert done.exit_code == 2
    assert "earthquake" in done.output
