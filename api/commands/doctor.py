"""`heyan doctor`: checks the machine, and says what to do."""

import typer
from rich.table import Table

from api.commands.failing import explained
from api.commands.tables import show_table
from api.diagnosis import diagnose
from api.settings import load_settings

ILL = 1


def doctor() -> None:
    """Check machine, weights, keys, files of the settings, store and policy. Exit code 1 if something is to be done."""
    with explained():
        findings = diagnose(load_settings())
    table = Table("check", "", "found", "what to do")
    for finding in findings:
        table.add_row(finding.check, "[green]ok" if finding.ok else "[red]!!", finding.found, finding.advice)
    show_table(table)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else ILL)
