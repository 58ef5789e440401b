"""`heyan-bench fairness`: error rates by group of people, at the threshold of a policy."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.calibration.groups import disparity, rates_by_group
from benchmarks.calibration.labelled import read_labels
from benchmarks.calibration.picture import draw_groups
from benchmarks.commands.calibrate import rate_cells
from benchmarks.commands.failing import explained
from benchmarks.recognition import embed_images
from models.engine import Engine
from models.packs import default_pack
from models.prepare import default_data_dir
from verify.calibration import GroupRates
from verify.policy import named_or_default, require_contract

TARGET_FMR = 0.001

Rates = Mapping[str, Mapping[str, GroupRates]]


def fairness(
    images: Annotated[Path, typer.Option(help="folder of the images", exists=True, file_okay=False)],
    labels: Annotated[
        Path, typer.Option(help="CSV: image,person,[session], and a column a group", exists=True, dir_okay=False)
    ],
    policy: Annotated[str | None, typer.Option(help="whose threshold")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    picture: Annotated[Path | None, typer.Option(help="where the picture goes, as PNG")] = None,
) -> None:
    """FMR and FNMR of each group with bounds over people, and the ratio of the worst to the best."""
    with explained():
        labelled = read_labels(labels, folder=images)
        engine = Engine.open(data_dir=default_data_dir(), pack=default_pack())
        chosen = require_contract(named_or_default(policy, contract=engine.contract), engine.contract)
        columns = TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=len(labelled.images))
            embeddings = embed_images(
                images,
                [image.file for image in labelled.images],
                engine=engine,
                advance=lambda: progress.advance(task),
            )
        rates = rates_by_group(labelled, embeddings, threshold=chosen.similarity, target_fmr=TARGET_FMR)
    Console().print(_table(rates, chosen.version, chosen.similarity))
    if as_json is not None:
        content = _content(rates, chosen.version, chosen.similarity, engine.contract)
        as_json.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if picture is not None:
        draw_groups(picture, rates, title=f"policy {chosen.version}, cosine {chosen.similarity:.3f}")


def _table(rates: Rates, policy: str, similarity: float) -> Table:
    title = f"policy {policy}, cosine {similarity:.3f}; impostors within their group"
    table = Table("group", "people", "impostors", "FMR", "95 % upper", "genuine", "FNMR", "95 % upper", title=title)
    for attribute, groups in rates.items():
        for value, each in groups.items():
            table.add_row(f"{attribute}: {value}", *rate_cells(each))
        fmr, fnmr = ("–" if ratio is None else f"× {ratio:.1f}" for ratio in disparity(groups))
        if len(groups) > 1:
            table.add_row(f"[dim]{attribute}: largest ÷ smallest", "", "", fmr, "", "", fnmr, "", end_section=True)
    return table


def _content(rates: Rates, policy: str, similarity: float, contract: str) -> dict[str, Any]:
    ratios = {attribute: disparity(groups) for attribute, groups in rates.items()}
    return {
        "policy": policy,
        "similarity": similarity,
        "contract": contract,
        "groups": {
            f"{attribute}={value}": asdict(each)
            for attribute, groups in rates.items()
            for value, each in groups.items()
        },
        "largest_by_smallest": {name: {"fmr": fmr, "fnmr": fnmr} for name, (fmr, fnmr) in ratios.items()},
    }
