"""`heyan-bench calibrate`: the thresholds of a policy, from labelled images."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.calibration.derive import compare_sets, derive
from benchmarks.calibration.labelled import read_sets
from benchmarks.commands.failing import explained
from models.engine import Engine
from models.prepare import default_data_dir
from verify.calibration import Calibration, GroupRates, Threshold, calibration_text

SETS = Path(__file__).parents[1] / "calibration" / "sets.toml"


def calibrate(
    data: Annotated[Path, typer.Option(help="folder of the sets", exists=True, file_okay=False)],
    sets: Annotated[Path, typer.Option(help="list of the sets", exists=True, dir_okay=False)] = SETS,
    target_fmr: Annotated[float, typer.Option(min=1e-7, max=0.5, help="of the default threshold")] = 0.001,
    strict_fmr: Annotated[float, typer.Option(min=1e-7, max=0.5, help="of the stricter one")] = 0.0001,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the calibration as it is shipped")] = None,
) -> None:
    """The lowest cosine that keeps FMR at a target in every set, on people who are not held out, and what it costs."""
    with explained():
        engine = Engine.open(data_dir=default_data_dir())
        labelled = read_sets(sets, data=data, share="calibrating")
        columns = TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=sum(len(each.images) for each in labelled))
            compared = compare_sets(labelled, engine=engine, advance=lambda: progress.advance(task))
        calibration = derive(
            compared,
            {each.name: each.population for each in labelled},
            engine=engine,
            target_fmr=target_fmr,
            strict_fmr=strict_fmr,
            made_on=datetime.now(UTC).date(),
        )
    show(calibration, Console())
    if as_json is not None:
        as_json.write_bytes(calibration_text(calibration))


def show(calibration: Calibration, console: Console) -> None:
    """A table for each threshold."""
    for name, each in (("default", calibration), ("strict", calibration.strict)):
        console.print(_table(name, each))


def _table(name: str, threshold: Threshold) -> Table:
    state = "" if threshold.supported else ", unproven: not every set can tell"
    title = (
        f"{name}: cosine {threshold.similarity:.3f} for FMR {threshold.target_fmr:.2%}, set by {threshold.binds}{state}"
    )
    table = Table("group", "people", "impostors", "FMR", "95 % upper", "genuine", "FNMR", "95 % upper", title=title)
    for group, each in threshold.groups.items():
        table.add_row(group, *rate_cells(each))
    return table


def rate_cells(each: GroupRates) -> tuple[str, ...]:
    """A group's figures as text."""
    shares = (each.fmr, each.fmr_upper_95, each.fnmr, each.fnmr_upper_95)
    fmr, fmr_upper, fnmr, fnmr_upper = ("–" if share is None else f"{share:.3%}" for share in shares)
    return str(each.people), f"{each.impostors:,}", fmr, fmr_upper, f"{each.genuine:,}", fnmr, fnmr_upper
