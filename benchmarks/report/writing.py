"""Writes a report: a terminal's tables, a page by itself, the part of a Markdown document that is a command's own."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console
from rich.table import Table

from benchmarks.report.charts import as_svg
from benchmarks.report.document import Chart, Report, Section

LEAST_WIDTH = 100
"""Columns of a table, also where the output goes to a file."""


class DocumentError(ValueError):
    """A Markdown document has no place for a report. `code`: `no_place`."""

    code = "no_place"


def show(report: Report, console: Console) -> None:
    """Print every table, and the verdict last."""
    console.width = max(console.width, LEAST_WIDTH)
    for section in report.sections:
        console.print(_table(section))
        if section.note:
            console.print(section.note, highlight=False, soft_wrap=True)
    console.print(report.verdict, highlight=False, soft_wrap=True, style="bold")


def as_html(report: Report) -> str:
    """One page that needs nothing else: drawings are in it."""
    environment = Environment(
        loader=PackageLoader("benchmarks.report", "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html").render(
        report=report, drawn=_drawn, machine=flat(report.machine), date=_today()
    )


def as_markdown(report: Report) -> str:
    """Tables, what is to be said of them, the command and the machine."""
    return "\n\n".join(_paragraphs(report))


def write_into(document: Path, report: Report) -> None:
    """Put the report between the marks `<!-- begin NAME -->` and `<!-- end NAME -->`, NAME the command without options.

    Raises:
        DocumentError: the document has no such marks.
        OSError: it cannot be read or written.
    """
    name = re.split(r" -", report.command)[0]
    content = document.read_text("utf-8")
    begin, end = (f"<!-- {mark} {name} -->" for mark in ("begin", "end"))
    if not 0 <= content.find(begin) < content.find(end):
        raise DocumentError(f"{document} has no place for this: put the lines {begin} and {end} where it belongs")
    before, after = content[: content.index(begin) + len(begin)], content[content.index(end) :]
    document.write_text(f"{before}\n{as_markdown(report)}\n{after}", "utf-8")


def flat(machine: Mapping[str, object]) -> dict[str, str]:
    """A description of a machine, a line for each thing."""
    found: dict[str, str] = {}
    for name, value in machine.items():
        if isinstance(value, Mapping):
            found[name] = ", ".join(f"{key} {each}" for key, each in value.items())
        else:
            found[name] = str(value)
    return found


def _paragraphs(report: Report) -> Iterator[str]:
    yield f"**{report.verdict}**"
    for section in report.sections:
        yield f"*{section.title}*"
        aligned = ["---", *("---:" for _ in section.headings[1:])]
        rows = [section.headings, tuple(aligned), *section.rows]
        yield "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
        if section.note:
            yield section.note
    yield f"`{report.command}`, {_today()}; " + "; ".join(f"{k}: {v}" for k, v in flat(report.machine).items())


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left")
    first, *others = section.headings
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    for row in section.rows:
        table.add_row(*row)
    return table


def _drawn(chart: Chart) -> Markup:
    return Markup(as_svg(chart))  # noqa: S704  (drawn here, of numbers and names that the drawing escapes)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
