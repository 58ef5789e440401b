"""`heyan-bench pairs`: recognition on an LFW-shaped protocol."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.commands.failing import explained
from benchmarks.det_curve import draw_det
from benchmarks.error_rates import (
    Comparisons,
    FoldAccuracy,
    OperatingPoint,
    accuracy_by_fold,
    det_points,
    mean_with_interval,
    operating_point,
)
from benchmarks.pairs_file import Pair, read_pairs
from benchmarks.recognition import Embeddings, compare_pairs, embed_images
from models.engine import Engine
from models.prepare import default_data_dir

FMRS = (0.01, 0.001, 0.0001)


def pairs(
    images: Annotated[Path, typer.Option(help="folder of the images", exists=True, file_okay=False)],
    pairs: Annotated[Path, typer.Option(help="CSV: fold,image_a,image_b,same", exists=True, dir_okay=False)],
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    det: Annotated[Path | None, typer.Option(help="where the DET curve goes")] = Path("det.png"),
) -> None:
    """Accuracy by fold, FNMR at FMR 1 %, 0.1 % and 0.01 %, failures to acquire, a DET curve as PNG."""
    with explained():
        listed = read_pairs(pairs)
        engine = Engine.open(data_dir=default_data_dir())
        embeddings = _embed_all(images, listed, engine)
        report = Report(listed, embeddings, engine.contract)
        report.show(Console())
        if as_json is not None:
            as_json.write_text(json.dumps(report.content(), indent=2) + "\n", "utf-8")
        if det is not None:
            report.draw(det, title=f"{images.parent.name or images.name}, {engine.contract}")
            typer.echo(f"DET curve: {det}")


class Report:
    """All figures of a run, for people and for machines."""

    def __init__(self, listed: tuple[Pair, ...], embeddings: Embeddings, contract: str) -> None:
        self._contract = contract
        self._failures = sorted(name for name, embedding in embeddings.items() if embedding is None)
        self._images = len(embeddings)
        self._comparisons: Comparisons = compare_pairs(listed, embeddings)
        self._folds: tuple[FoldAccuracy, ...] = accuracy_by_fold(self._comparisons)
        self._points: dict[float, OperatingPoint | None] = {
            fmr: operating_point(self._comparisons, fmr) for fmr in FMRS
        }

    def content(self) -> dict[str, Any]:
        """The JSON. A figure that the data cannot give is null."""
        mean, deviation, low, high = mean_with_interval(self._folds)
        return {
            "contract": self._contract,
            "pairs": len(self._comparisons.scores),
            "genuine": int(self._comparisons.same.sum()),
            "impostor": int((~self._comparisons.same).sum()),
            "images": self._images,
            "failures_to_acquire": len(self._failures),
            "failed_images": self._failures,
            "accuracy_mean": mean,
            "accuracy_std": deviation,
            "accuracy_95": [low, high],
            "folds": [asdict(each) for each in self._folds],
            **{f"fnmr_at_fmr_{fmr:g}": point.fnmr if point else None for fmr, point in self._points.items()},
            **{
                f"fnmr_95_at_fmr_{fmr:g}": [point.fnmr_low, point.fnmr_high] if point else None
                for fmr, point in self._points.items()
            },
            **{f"threshold_at_fmr_{fmr:g}": point.threshold if point else None for fmr, point in self._points.items()},
        }

    def show(self, console: Console) -> None:
        """The table."""
        mean, deviation, low, high = mean_with_interval(self._folds)
        table = Table(
            "measure", "value", "95 % interval", title=f"{len(self._comparisons.scores)} pairs, {self._contract}"
        )
        table.add_row("accuracy, mean over folds", f"{mean:.2%} ± {deviation:.2%}", f"{low:.2%} to {high:.2%}")
        for fmr, point in self._points.items():
            if point is None:
                table.add_row(f"FNMR at FMR {fmr:.2%}", "not measured", "too few impostor pairs")
            else:
                value = f"{point.fnmr:.2%} (cosine {point.threshold:.3f})"
                table.add_row(f"FNMR at FMR {fmr:.2%}", value, f"{point.fnmr_low:.2%} to {point.fnmr_high:.2%}")
        table.add_row("failures to acquire", f"{len(self._failures)} of {self._images} images", "")
        console.print(table)

    def draw(self, path: Path, *, title: str) -> None:
        """The DET curve."""
        fmr, fnmr = det_points(self._comparisons)
        points = tuple(point for point in self._points.values() if point is not None)
        draw_det(path, fmr=fmr, fnmr=fnmr, points=points, title=f"DET: {title}")


def _embed_all(folder: Path, listed: tuple[Pair, ...], engine: Engine) -> Embeddings:
    names = list(np.unique([name for pair in listed for name in (pair.image_a, pair.image_b)]))
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("embedding", total=len(names))
        return embed_images(folder, map(str, names), engine=engine, advance=lambda: progress.advance(task))
