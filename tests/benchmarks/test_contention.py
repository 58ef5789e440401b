import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.contention import Outcome, Plan, _share

GOOD = Outcome(
    tokens=20,
    redemptions=40,
    successes=20,
    redeemed_twice=0,
    receipts_in_store=40,
    receipts_that_differ=0,
    answers={"token_already_redeemed": 20},
    chains_whole=4,
    chains_broken=0,
    cut_off=20,
    cut_off_with_receipt=20,
    killed=False,
    seconds=1.0,
)


def test_what_is_right_holds() -> None:
    assert GOOD.holds
    assert replace(GOOD, killed=True, successes=19, answers={"store_unavailable": 3}).holds


@pytest.mark.parametrize(
    "wrong",
    [
        {"successes": 19},
        {"redeemed_twice": 1},
        {"receipts_in_store": 39},
        {"receipts_that_differ": 1},
        {"answers": {"internal_error": 1}},
        {"answers": {"store_unavailable": 1}},
        {"chains_broken": 1},
        {"cut_off_with_receipt": 19},
        {"killed": True, "receipts_in_store": 39, "successes": 19},
        {"killed": True, "answers": {"gave_up": 1}},
    ],
)
def test_anything_else_does_not(wrong: dict[str, object]) -> None:
    assert not replace(GOOD, **wrong).holds


def test_all_callers_together_want_every_token() -> None:
    plan = Plan(clients=50, each=1000, tokens=2000)
    tokens = [(f"token {number}", {}) for number in range(plan.tokens)]
    wanted = [token for number in range(plan.clients) for token, _ in _share(tokens, number, plan)]
    assert {wanted.count(token) for token, _ in tokens[:20]} == {25}
    assert len(set(wanted)) == plan.tokens


def test_too_few_redemptions_are_refused() -> None:
    refused = CliRunner().invoke(app, ["contention", "--clients", "2", "--each", "3", "--tokens", "7"])
    assert refused.exit_code == 2
    assert "--each" in refused.output


def test_two_replicas_and_a_killed_store_redeem_each_token_once(tmp_path: Path) -> None:
    kept = tmp_path / "outcome.json"
    size = ["--clients", "6", "--each", "10", "--tokens", "20", "--processes", "2", "--kill"]
    found = CliRunner().invoke(app, ["contention", *size, "--json", str(kept)])
    assert found.exit_code == 0, found.output
    outcome = json.loads(kept.read_text("utf-8"))
    assert (outcome["holds"], outcome["receipts_in_store"], outcome["killed"]) == (True, 40, True)
