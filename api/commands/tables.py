"""How commands print tables: every id and every value whole, for the next command needs them."""

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Column, Table

UNBOUNDED = 100_000
"""Columns of a terminal, more than any table needs."""


def show_table(table: Table) -> None:
    """Print a table on standard output, broken between words to fit a terminal, never within one.

    One whose words alone are wider than the terminal runs over its edge. What another program reads has a line for each
    row.
    """
    console = Console()
    unbounded = console.options.update_width(UNBOUNDED)
    for column in table.columns:
        _keep_words(column, console, unbounded)
    needed = console.measure(table, options=unbounded)
    console.width = max(console.width, needed.minimum) if console.is_terminal else needed.maximum
    console.print(table, crop=False)


def _keep_words(column: Column, console: Console, unbounded: ConsoleOptions) -> None:
    """Let a column be no narrower than its longest word; one of single words is not made narrower at all."""
    cells: list[Measurement] = [console.measure(cell, options=unbounded) for cell in (column.header, *column.cells)]
    column.min_width = max(cell.minimum for cell in cells)
    column.no_wrap = column.min_width == max(cell.maximum for cell in cells)
