"""`heyan-bench pad`: the passive attack detection on single frames of real data."""

import json
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from benchmarks.commands.failing import explained
from benchmarks.pad_figures import by_person, live_probabilities, pad_figures
from benchmarks.photos import SUFFIXES, PhotosError
from models.engine import Engine
from models.prepare import default_data_dir


def pad(
    bona_fide: Annotated[Path, typer.Option(help="folder of frames of live people", exists=True, file_okay=False)],
    attack: Annotated[list[str], typer.Option(help="NAME=FOLDER of frames of an attack; may be repeated")],
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="the network's own if not given")] = None,
    person: Annotated[str | None, typer.Option(help="pattern that finds the person in a file name: ^([0-9]+)_")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
) -> None:
    """BPCER, APCER of each species and AUC of single frames, at the network's own threshold, not set on this data."""
    with explained():
        people = _pattern(person) if person is not None else None
        folders = {"bona fide": bona_fide, **_named(attack)}
        frames = {name: _frames(folder) for name, folder in folders.items()}
        engine = Engine.open(data_dir=default_data_dir())
        with Progress(
            TextColumn("frames"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True)
        ) as progress:
            task = progress.add_task("", total=sum(map(len, frames.values())))
            found = {
                name: live_probabilities(each, engine=engine, advance=lambda: progress.advance(task))
                for name, each in frames.items()
            }
    line = threshold if threshold is not None else engine.attack_detector.calibration.threshold
    shares = {name: np.array(list(each.values())) for name, each in found.items()}
    figures = pad_figures(shares.pop("bona fide"), shares, threshold=line)
    figures["without_face"] = {name: len(frames[name]) - len(each) for name, each in found.items()}
    if people is not None:
        figures["by_person"] = {name: by_person(each, people, threshold=line) for name, each in found.items()}
    table = Table("measure", "value", "95 %", title=f"single frames, threshold {line:g}")
    table.add_row("BPCER", f"{figures['bpcer']:.1%}", "{:.1%} to {:.1%}".format(*figures["bpcer_95"]))
    for name in shares:
        table.add_row(
            f"APCER {name}", f"{figures['apcer'][name]:.1%}", "{:.1%} to {:.1%}".format(*figures["apcer_95"][name])
        )
    table.add_row("AUC", f"{figures['auc']:.4f}", "")
    Console().print(table)
    if as_json is not None:
        as_json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def _pattern(person: str) -> re.Pattern[str]:
    try:
        found = re.compile(person)
    except re.error as error:
        raise PhotosError(f"--person wants a regular expression: {error}") from None
    if not found.groups:
        raise PhotosError(f"--person wants a group that is the person, as in ^([0-9]+)_: {person}")
    return found


def _named(attacks: list[str]) -> dict[str, Path]:
    found = dict(each.partition("=")[::2] for each in attacks)
    wrong = [name for name, folder in found.items() if not name or not folder or not Path(folder).is_dir()]
    if wrong or not found:
        raise PhotosError(f"--attack wants NAME=FOLDER with a folder that is there: {', '.join(attacks)}")
    return {name: Path(folder) for name, folder in found.items()}


def _frames(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise PhotosError(f"{folder} holds no JPEG, PNG or WebP")
    return found
