"""Where a bench puts what it found: the terminal always, and files if they are named."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.report.document import Report
from benchmarks.report.writing import as_html, show, write_into

JsonFile = Annotated[Path | None, typer.Option("--json", help="write the figures as JSON", dir_okay=False)]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="write a page with drawings", dir_okay=False)]
DocsFile = Annotated[
    Path | None,
    typer.Option("--docs", help="write the tables into this Markdown file, between its marks", exists=True),
]


def deliver(
    report: Report, figures: Mapping[str, object], *, as_json: Path | None, html: Path | None, docs: Path | None
) -> None:
    """Print, and write what is asked for; JSON holds `figures` and the machine.

    Raises:
        benchmarks.report.writing.DocumentError: the document has no place for it.
        OSError: a file cannot be written.
    """
    show(report, Console())
    if as_json is not None:
        content = dict(figures) | {"machine": dict(report.machine)}
        as_json.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if html is not None:
        html.write_text(as_html(report), "utf-8")
    if docs is not None:
        write_into(docs, report)
