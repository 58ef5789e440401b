"""Tables of commands, as a pipe and as terminals of several widths get them: what they show can be copied from them."""

import asyncio
import re
from pathlib import Path
from secrets import token_bytes

import pytest
from begun import begun
from rich.table import Table
from typer.testing import CliRunner, Result

from api.cli import app
from api.commands.tables import show_table
from api.composition import open_store_of
from api.settings import load_settings
from verify.clients import Client
from verify.signing import load_keys
from verify.webhooks import Webhooks

ROWS = (
    ("cli_3e7bxaaaaaaaaaaa", "window 7", "https://registry.example/" + "a" * 40, "ask the operator for another one"),
    ("cli_4e7bxaaaaaaaaaaa", "窗口 8", "https://registry.example/b", ""),
)


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(begun(tmp_path)))
    monkeypatch.setenv("COLUMNS", "80")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def made(*arguments: str) -> str:
    """The id of what a command has made, as it tells on standard error."""
    found = re.search(r"(?:cli|off|opr)_\w+", run(*arguments).stderr)
    assert found
    return found[0]


def words(printed: str) -> set[str]:
    return set(re.sub(r"\x1b\[[0-9;]*m", "", printed).split())


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    table = Table("client", "name", "url", "what to do")
    for row in ROWS:
        table.add_row(*row)
    show_table(table)
    return capsys.readouterr().out


def test_what_is_piped_has_every_row_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in printed(capsys).splitlines() if "cli_" in line]
    assert [all(cell in line for cell in row) for row, line in zip(ROWS, lines, strict=True)] == [True, True]


@pytest.mark.parametrize("columns", [20, 80, 130, 200])
def test_a_terminal_gets_every_word_whole(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = printed(capsys)
    assert {word for row in ROWS for cell in row for word in cell.split()} <= words(shown)
    if columns >= 130:
        assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= columns


@pytest.mark.parametrize(
    ("make", "show"),
    [
        (("keys", "create", "--client", "a registration service"), ("keys", "list")),
        (("officers", "add", "the officer who is at the first window"), ("officers", "list")),
        (("operators", "create", "the auditor who comes once a year or so"), ("operators", "list")),
    ],
)
def test_ids_are_whole_where_they_are_listed(make: tuple[str, ...], show: tuple[str, ...]) -> None:
    identifier = made(*make)
    assert identifier in words(run(*show).stdout)


async def registered(url: str) -> str:
    """A webhook of nobody in particular."""
    settings = load_settings()
    vault = load_keys(settings.data_dir, entropy=token_bytes).vault
    client = Client(id="cli_3e7bxaaaaaaaaaaa", name="x", mode="live", scopes=(), created_at=0.0)
    async with open_store_of(settings) as store:
        endpoint, _ = await Webhooks(store=store, vault=vault, entropy=token_bytes).create(client, url)
    return endpoint.id


def test_webhooks_are_listed_with_whole_ids_and_addresses() -> None:
    url = "https://registry.example/notices/of/heyan?of=[all]"
    endpoint = asyncio.run(registered(url))
    assert {endpoint, "cli_3e7bxaaaaaaaaaaa", url} <= words(run("webhooks", "list").stdout)
