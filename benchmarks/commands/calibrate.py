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
from models.packs import default_pack
from models.prepare import default_data_dir
from verify.calibration import Calibration, GroupRates, Threshold, calibration_text
from verify.policy import DEFAULT
from verify.policy_check import checked_policy

POLICY = """version = "{version}"
extends = "{extends}"
level = "default"
calibrated_on = \"\"\"
Similarity: the calibration below. All else as in {extends}, which was set with other models: what a liveness signal
measures depends on a detector's landmarks, and with those of this pack it was not measured.
\"\"\"
calibration = '''
{calibration}
'''
"""
SETS = Path(__file__).parents[1] / "calibration" / "sets.toml"


def calibrate(
    data: Annotated[Path, typer.Option(help="folder of the sets", exists=True, file_okay=False)],
    sets: Annotated[Path, typer.Option(help="list of the sets", exists=True, dir_okay=False)] = SETS,
    target_fmr: Annotated[float, typer.Option(min=1e-7, max=0.5, help="of the default threshold")] = 0.001,
    strict_fmr: Annotated[float, typer.Option(min=1e-7, max=0.5, help="of the stricter one")] = 0.0001,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the calibration as it is shipped")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="write a policy that holds the calibration, for heyan policy propose")
    ] = None,
) -> None:
    """The lowest cosine that keeps FMR at a target in every set, on people who are not held out, and what it costs."""
    with explained():
        engine = Engine.open(data_dir=default_data_dir(), pack=default_pack())
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
    if policy is not None:
        with explained():
            policy.write_text(policy_text(calibration), "utf-8")


def policy_text(calibration: Calibration) -> str:
    """A policy's file with a calibration in it; liveness and all else as in the shipped one that it extends.

    Raises:
        verify.policy.PolicyError: `policy_invalid` if the calibration holds what a policy's file cannot.
    """
    text = POLICY.format(
        version=f"{calibration.contract.replace('/', '-').lower()}-{calibration.made_on}",
        extends=DEFAULT,
        calibration=calibration_text(calibration).decode().strip(),
    )
    checked_policy(text)
    return text


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
