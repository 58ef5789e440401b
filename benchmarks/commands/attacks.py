"""`heyan-bench attacks`: every species by name, and bona fide people, through the service's own path."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.attack_range import (
    CONDITIONS,
    Figures,
    attack_trials,
    bona_fide_trials,
    chosen,
    figures,
    held_out_trials,
    run_all,
    with_real_time,
)
from benchmarks.attack_report import as_json, as_page, as_table, draw
from benchmarks.attacks.catalogue import SPECIES
from benchmarks.commands.failing import explained
from benchmarks.outcome_file import OutcomeFile
from benchmarks.people_split import person_of, photos_of
from benchmarks.photos import SUFFIXES, PhotosError
from benchmarks.real_time import Witnessed, run_in_real_time
from benchmarks.trials import BONA_FIDE, Outcome, Trial, usable_photos
from models.engine import Engine
from models.prepare import default_data_dir
from verify.policy import load_policy

LEAST_FACES = 3
HELD_OUT = "camera that is held out"
"""Counted apart: not in the BPCER over all conditions."""


def attacks(
    photos: Annotated[Path, typer.Option(help="folder of photos, PERSON_1.jpg …", exists=True, file_okay=False)],
    attempts: Annotated[int, typer.Option(min=3, help="of each species")] = 150,
    bona_fide: Annotated[int, typer.Option(min=len(CONDITIONS), help="sessions of people who follow the cues")] = 300,
    species: Annotated[list[str] | None, typer.Option(help="only these; may be repeated")] = None,
    as_json_file: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    report: Annotated[Path | None, typer.Option(help="write a page, and a picture beside it")] = None,
    outcomes: Annotated[Path | None, typer.Option(help="keep outcomes here, and go on from what it holds")] = None,
    real_time: Annotated[int, typer.Option(min=0, help="attempts of each over the network, 20 seconds each")] = 0,
    seed: Annotated[int, typer.Option(help="of all movements and challenges")] = 1,
) -> None:
    """Attempts, passes, IAPAR with its upper bound for each species; BPCER under all kinds of conditions."""
    unknown = sorted(set(species or ()) - set(SPECIES))
    if unknown:
        raise typer.BadParameter(f"no species is named {', '.join(unknown)}; choose from {', '.join(SPECIES)}")
    with explained():
        faces = _faces(photos, count=max(attempts, bona_fide))
        tried = chosen(species or ())
        plans = {each.name: attack_trials(each, faces, attempts=attempts, seed=seed) for each in tried}
        plans[BONA_FIDE] = bona_fide_trials(faces, attempts=bona_fide, seed=seed)
        plans[HELD_OUT] = held_out_trials(faces, attempts=bona_fide, seed=seed)
        found = _run(plans, OutcomeFile(outcomes) if outcomes is not None else None)
        witnessed = _witness([trial for name, plan in plans.items() if name != HELD_OUT for trial in plan[:real_time]])
    policy = load_policy().version
    counted = {name: figures(found[name], genuine=name in (BONA_FIDE, HELD_OUT)) for name in plans}
    measured = with_real_time(counted, witnessed)
    overall, held_out = measured.pop(BONA_FIDE), measured.pop(HELD_OUT)
    conditions = {**_by_condition(found[BONA_FIDE]), HELD_OUT: held_out}
    Console().print(as_table(measured, overall))
    if as_json_file is not None:
        content = as_json(measured, overall, conditions, policy=policy)
        as_json_file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if report is not None:
        command = f"heyan-bench attacks --attempts {attempts} --bona-fide {bona_fide} --seed {seed}"
        report.write_text(as_page(measured, overall, conditions, policy=policy, command=command), "utf-8")
        draw(measured, overall, report.with_suffix(".png"))


def _faces(folder: Path, *, count: int) -> tuple[Path, ...]:
    """Frontal photos, one a person, of people whom nothing was trained or calibrated on, in a fixed random order.

    Raises:
        PhotosError: there are too few.
    """
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    people = {person_of(path): path for path in sorted(photos_of(found, "test"), reverse=True)}
    order = Random(0).sample(sorted(people.values()), len(people))
    usable = usable_photos(order, engine=Engine.open(data_dir=default_data_dir()), count=count)
    if len(usable) < LEAST_FACES:
        message = (
            f"{folder} shows {len(usable)} usable faces of people who are not trained on; {LEAST_FACES} are needed"
        )
        raise PhotosError(message)
    return usable


def _run(plans: Mapping[str, list[Trial]], kept: OutcomeFile | None) -> dict[str, list[Outcome]]:
    with _progress() as progress:
        task = progress.add_task("sessions", total=sum(map(len, plans.values())))

        def advance() -> None:
            progress.advance(task)

        outcomes = iter(run_all([trial for plan in plans.values() for trial in plan], kept=kept, advance=advance))
    return {name: list(islice(outcomes, len(plan))) for name, plan in plans.items()}


def _witness(trials: list[Trial]) -> tuple[Witnessed, ...]:
    if not trials:
        return ()
    cv2.setNumThreads(1)
    with _progress() as progress:
        task = progress.add_task("sessions over the network", total=len(trials))
        engine = Engine.open(data_dir=default_data_dir())
        return run_in_real_time(trials, engine=engine, advance=lambda: progress.advance(task))


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))


def _by_condition(outcomes: list[Outcome]) -> dict[str, Figures]:
    names = list(CONDITIONS)
    return {name: figures(outcomes[place :: len(names)], genuine=True) for place, name in enumerate(names)}
