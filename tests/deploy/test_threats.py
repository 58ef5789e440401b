"""The table of threats is true to the tests: each row names some that exist, or says that nothing stops the threat."""

import re
from pathlib import Path

import pytest

from benchmarks.attacks.catalogue import SPECIES

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "threats.md").read_text("utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in TABLE.splitlines()
    if line.startswith("| ") and not line.startswith("| threat |")
]
OPEN = re.compile(r"\*\*not (stopped|measured)\*\*")


def test_the_table_is_read_whole() -> None:
    assert len(ROWS) > 50
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_row_names_tests_that_exist_or_admits_that_there_are_none(row: tuple[str, str, str]) -> None:
    _, answer, covered = row
    named = re.findall(r"`(tests/[^`]+)`", covered)
    assert named or OPEN.search(answer)
    for each in named:
        path, _, name = each.partition("::")
        text = (ROOT / path).read_text("utf-8")
        assert re.search(rf"^(async )?def {name or 'test_'}", text, re.MULTILINE), each


def test_species_that_the_table_names_are_in_the_catalogue() -> None:
    named = set(re.findall(r"species `(\w+)`", TABLE))
    assert named
    assert named <= SPECIES.keys()


def test_reporting_and_table_lead_to_each_other() -> None:
    security = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "(docs/threats.md)" in security
    assert "(../SECURITY.md)" in TABLE
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", security)]
    assert [target for target in targets if not (ROOT / target).exists()] == []
