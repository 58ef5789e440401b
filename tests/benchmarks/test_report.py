"""A report is said once and read in four places."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.commands.outputs import deliver
from benchmarks.report.document import Chart, Report, Section
from benchmarks.report.writing import DocumentError, as_html, as_markdown, show, write_into

BOXES = Chart(title="stages <a>", unit="milliseconds", series={"one & more": (1.0, 2.0, 3.0), "two": (2.0, 2.5, 9.0)})
LINES = Chart(title="growth", unit="MiB", series={"service": (1.0, float("nan"), 3.0)}, x=(1.0, 2.0, 3.0), x_unit="h")
REPORT = Report(
    command="heyan-bench tokens --rounds 6",
    verdict="it takes <two> steps",
    sections=(
        Section(title="stages", headings=("stage", "ms"), rows=(("one | all", "1.5"), ("two", "2")), chart=BOXES),
        Section(title="hours", headings=("hour", "MiB"), rows=(("1", "3"),), note="Little grew.", chart=LINES),
    ),
    machine={"processor": "a core & a half", "versions": {"numpy": "2", "opencv": "5"}},
)
PAGE = "# Speed\n\n<!-- begin heyan-bench tokens -->\nold\n<!-- end heyan-bench tokens -->\n\nLast words.\n"


def test_a_page_needs_nothing_else_and_takes_no_word_for_markup() -> None:
    page = as_html(REPORT)
    assert page.count("<svg") == 2
    assert "it takes &lt;two&gt; steps" in page
    assert "a core &amp; a half" in page
    assert "stages &lt;a&gt;" in page
    assert "<script" not in page
    assert 'src="' not in page
    assert "numpy 2, opencv 5" in page


def test_the_same_numbers_draw_the_same_page() -> None:
    assert as_html(REPORT) == as_html(REPORT)


def test_a_document_takes_a_report_between_its_marks_and_nothing_else_moves(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(PAGE, "utf-8")
    write_into(document, REPORT)
    first = document.read_text("utf-8")
    assert first.startswith("# Speed\n\n<!-- begin heyan-bench tokens -->\n")
    assert first.endswith("<!-- end heyan-bench tokens -->\n\nLast words.\n")
    assert "| one / all | 1.5 |" in first
    assert "old" not in first
    write_into(document, replace(REPORT, command="heyan-bench tokens"))
    assert document.read_text("utf-8") == first.replace("tokens --rounds 6`", "tokens`")


@pytest.mark.parametrize("content", ["", "<!-- end heyan-bench tokens --><!-- begin heyan-bench tokens -->"])
def test_a_document_without_a_place_is_told_what_to_put_there(tmp_path: Path, content: str) -> None:
    document = tmp_path / "performance.md"
    document.write_text(content, "utf-8")
    with pytest.raises(DocumentError, match="<!-- begin heyan-bench tokens -->"):
        write_into(document, REPORT)
    assert document.read_text("utf-8") == content


def test_a_terminal_gets_every_table_and_the_verdict_last() -> None:
    console = Console(record=True, width=60)
    show(REPORT, console)
    lines = console.export_text().rstrip().splitlines()
    assert lines[-1] == "it takes <two> steps"
    assert any("one | all" in line for line in lines)
    assert "Little grew." in lines


def test_every_file_that_is_named_is_written(tmp_path: Path) -> None:
    docs = tmp_path / "performance.md"
    docs.write_text(PAGE, "utf-8")
    deliver(REPORT, {"rounds": 6}, as_json=tmp_path / "f.json", html=tmp_path / "f.html", docs=docs)
    assert json.loads((tmp_path / "f.json").read_text("utf-8")) == {"rounds": 6, "machine": REPORT.machine}
    assert (tmp_path / "f.html").read_text("utf-8") == as_html(REPORT)
    assert as_markdown(REPORT) in docs.read_text("utf-8")
