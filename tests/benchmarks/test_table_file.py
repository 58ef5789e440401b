from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.table_file import TableError, read_table

COMMANDS = {
    "pairs": ("pairs", "--pairs"),
    "fairness": ("fairness", "--labels"),
    "models-compare": ("models-compare", "--pack", "open", "--pairs"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_that_excel_wrote_in_another_encoding_is_named(command: str, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes("image,person\n王小明_1.jpg,王小明\n".encode("gbk"))
    result = CliRunner().invoke(app, [*COMMANDS[command], str(table), "--images", str(tmp_path)])
    assert result.exit_code == 2, result.output
    assert f"table_invalid: {table} is not in UTF-8" in result.stderr


def test_the_mark_that_excel_puts_before_utf_8_is_no_part_of_a_column(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes("image,person\n王_1.jpg,王\n".encode("utf-8-sig"))
    assert read_table(table) == ({"image", "person"}, [(2, {"image": "王_1.jpg", "person": "王"})])


def test_what_is_no_csv_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(f"image\n{'x' * 200_000}\n", "utf-8")
    with pytest.raises(TableError, match=r"table\.csv is no CSV"):
        read_table(tmp_path / "table.csv")
