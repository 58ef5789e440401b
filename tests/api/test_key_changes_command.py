"""`heyan keys rotate` and what follows, as two operators type it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from begun import begun
from typer.testing import CliRunner, Result

from api.cli import app


def run(*arguments: str, key: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=None if key is None else f"{key}\n")


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Ids and keys of two operators of an installation of its own."""
    monkeypatch.setenv("HEYAN_DATA_DIR", str(begun(tmp_path / "data")))
    made = [run("operators", "create", name) for name in ("Li Hua", "Wang Fang")]
    return [(each.stderr.split()[1], each.stdout.strip()) for each in made]


def published() -> set[str]:
    return {key["kid"] for key in json.loads(run("jwks").stdout)["keys"]}


@pytest.mark.parametrize("purpose", ["live", "checkpoint"])
def test_two_operators_replace_a_key(people: list[tuple[str, str]], purpose: str) -> None:
    (li, key_of_li), (wang, key_of_wang) = people
    before = published()
    proposed = run("keys", "rotate", "--key", purpose, "--as", li, key=key_of_li)
    kid = proposed.stdout.strip()
    assert (proposed.exit_code, kid in before, published() == before) == (0, True, True)
    own = run("keys", "approve", kid, "--as", li, key=key_of_li)
    assert (own.exit_code, "proposal_own" in own.stderr, published() == before) == (2, True, True)
    approved = run("keys", "approve", kid, "--as", wang, key=key_of_wang)
    assert (approved.exit_code, "signs from" in approved.stdout) == (0, True)
    assert before < published()
    told = run("keys", "history").stdout
    assert f"{purpose} key {kid}: approved, after ten minutes" in told
    assert all(name in told for name in ("Li Hua", "Wang Fang"))


def test_a_proposal_is_withdrawn(people: list[tuple[str, str]]) -> None:
    (li, key_of_li), (wang, key_of_wang) = people
    kid = run("keys", "rotate", "--as", li, key=key_of_li).stdout.strip()
    assert run("keys", "withdraw", kid, "--as", wang, key=key_of_wang).exit_code == 0
    late = run("keys", "approve", kid, "--as", wang, key=key_of_wang)
    assert (late.exit_code, "proposal_decided" in late.stderr) == (2, True)


@pytest.mark.parametrize("command", ["approve", "withdraw"])
@pytest.mark.parametrize(
    "kid", ["-gO0Wy4xZz1JqkqvT9cQx0d1Y2Yq3nqYp8o2m5sHk0E", "--s0Wy4xZz1JqkqvT9cQx0d1Y2Yq3nqYp8o2m5sHk0E"]
)
def test_a_key_id_that_looks_like_an_option_is_one_all_the_same(
    people: list[tuple[str, str]], command: str, kid: str
) -> None:
    """One id in 64 begins with a dash (RFC 7638 with RFC 4648's alphabet for URLs)."""
    (li, key_of_li), _ = people
    answered = run("keys", command, kid, "--as", li, key=key_of_li)
    assert (answered.exit_code, "proposal_unknown" in answered.stderr) == (2, True), answered.stderr


def test_one_alone_is_loud(people: list[tuple[str, str]]) -> None:
    (li, key_of_li), _ = people
    before = published()
    done = run("keys", "rotate", "--as", li, "--without-second-operator", "the disk was copied", key=key_of_li)
    assert (done.exit_code, "without_second_operator" in done.stderr, before < published()) == (0, True, True)
    assert "without second operator" in (told := run("keys", "history").stdout)
    assert "the disk was copied" in told


def test_nobody_replaces_a_key_without_showing_theirs(people: list[tuple[str, str]]) -> None:
    (li, _), (_, key_of_wang) = people
    before = published()
    unnamed = run("keys", "rotate")
    assert (unnamed.exit_code, "--as" in unnamed.stderr) == (2, True)
    wrong = run("keys", "rotate", "--as", li, "--without-second-operator", "stolen", key=key_of_wang)
    assert (wrong.exit_code, "operator_key_invalid" in wrong.stderr) == (2, True)
    assert run("keys", "rotate", "--key", "test", "--without-second-operator", "stolen").exit_code == 2
    assert published() == before


@pytest.mark.parametrize(
    ("command", "option"), [("keys approve kid_1", "--operator-key"), ("policy withdraw 0000", "--key")]
)
def test_without_a_terminal_the_option_for_the_key_is_named(tmp_path: Path, command: str, option: str) -> None:
    entry = "from api.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", entry, *command.split(), "--as", "opr_1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "HEYAN_DATA_DIR": str(tmp_path)},
        start_new_session=True,
        check=False,
    )
    assert (done.returncode, "operator_key_missing: there is no terminal" in done.stderr) == (2, True), done.stderr
    assert f"{option} FILE" in done.stderr
    assert "Warning" not in done.stderr
