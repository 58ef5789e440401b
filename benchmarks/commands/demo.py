"""`heyan-bench demo`."""

from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.commands.failing import explained
from benchmarks.demo import Cast, run
from benchmarks.photos import PersonPhotos, load_portraits, people_in, people_of
from models.prepare import default_data_dir

SEEDS = 2**32


def demo(
    photos: Annotated[
        Path | None,
        typer.Option(help="your own portraits: NAME.jpg, NAME_2.jpg, OTHER.jpg …", exists=True, file_okay=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="repeat a run's movements")] = None,
) -> None:
    """The main job end to end: two people verify, tokens are redeemed, every refusal is tried. Exit 1 if one fails."""
    seed = seed if seed is not None else SystemRandom().randrange(SEEDS)
    with explained():
        people = people_in(photos) if photos else people_of(load_portraits(default_data_dir()))
        holds = run(cast_of(people), seed=seed, console=Console())
    typer.echo(f"seed {seed}")
    raise typer.Exit(0 if holds else 1)


def cast_of(people: tuple[PersonPhotos, ...]) -> Cast:
    """Those with most photos verify; the impostor is somebody else."""
    first, second, impostor = sorted(people, key=lambda person: -len(person.photos))[:3]
    return Cast(first=first, second=second, impostor=impostor.photos[0])
