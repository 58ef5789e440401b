"""`heyan-bench degradations`: what bad ID photos cost, and what the care that is taken of references wins back."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.commands.failing import explained
from benchmarks.commands.outputs import DocsFile, HtmlFile, JsonFile, deliver
from benchmarks.degradations.measure import Rates, better_and_worse, measure
from benchmarks.degradations.render import DEGRADATIONS
from benchmarks.machine import describe_machine
from benchmarks.pairs_file import read_pairs
from benchmarks.report.document import Report, Section
from models.engine import Engine
from models.packs import default_pack
from models.prepare import default_data_dir


def degradations(
    images: Annotated[Path, typer.Option(help="folder of the images", exists=True, file_okay=False)],
    pairs: Annotated[Path, typer.Option(help="CSV: fold,image_a,image_b,same", exists=True, dir_okay=False)],
    as_json: JsonFile = None,
    html: HtmlFile = None,
    docs: DocsFile = None,
) -> None:
    """FNMR at FMR 0.1 % with references as ID photos come, before and after the care that is taken of references."""
    with explained():
        listed = read_pairs(pairs)
        engine = Engine.open(data_dir=default_data_dir(), pack=default_pack())
        count = sum(pair.same for pair in listed)
        with _progress() as progress:
            task = progress.add_task("images", total=count * (1 + len(DEGRADATIONS)))
            found = measure(images, listed, engine=engine, advance=lambda: progress.advance(task))
        figures = {"degradations": {title: asdict(each) for title, each in found.items()}}
        deliver(_report(found, describe_machine(engine)), figures, as_json=as_json, html=html, docs=docs)


def _report(found: Mapping[str, Rates], machine: Mapping[str, object]) -> Report:
    better, worse = better_and_worse(found)
    first = next(iter(found.values()))
    return Report(
        command="heyan-bench degradations",
        verdict=f"of {len(found) - 1} degradations, references made with care are better in {better} and worse in "
        f"{worse}",
        sections=(
            Section(
                title="FNMR at FMR 0.1 % (each column with a threshold of its own), by what was done to the reference",
                headings=("reference", "one embedding", "with care", "change, 95 %", "no face found"),
                rows=tuple(_row(title, each) for title, each in found.items()),
                note=f"{first.genuine:,} genuine pairs, {first.impostors:,} impostors; the interval of the change, in "
                "points of a hundred, draws people.",
            ),
        ),
        machine=machine,
    )


def _row(title: str, each: Rates) -> tuple[str, ...]:
    return (
        title,
        f"{each.fnmr_before:.2%}",
        f"{each.fnmr_after:.2%}",
        f"{100 * each.change_low:+.2f} to {100 * each.change_high:+.2f}",
        str(each.not_acquired),
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))
