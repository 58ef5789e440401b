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

from benchmarks.calibration.comparing import PeopleScores, listed_scores, with_all_impostors
from benchmarks.calibration.rates import rates_at, threshold_at, worst_person_pair
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
from benchmarks.pairs_file import Pair, people_of, read_pairs
from benchmarks.recognition import Embeddings, compare_pairs, embed_images
from models.engine import Engine
from models.packs import default_pack
from models.prepare import default_data_dir
from verify.calibration import GroupRates
from verify.policy import Policy, named_or_default, require_contract

FMRS = (0.01, 0.001, 0.0001)
TARGET_FMR = 0.001


def pairs(
    images: Annotated[Path, typer.Option(help="folder of the images", exists=True, file_okay=False)],
    pairs: Annotated[Path, typer.Option(help="CSV: fold,image_a,image_b,same", exists=True, dir_okay=False)],
    as_json: Annotated[Path | None, typer.Option("--json", help="write the figures as JSON")] = None,
    det: Annotated[Path | None, typer.Option(help="where the DET curve goes")] = Path("det.png"),
    policy: Annotated[str | None, typer.Option(help="at whose threshold errors are counted too")] = None,
    all_impostors: Annotated[
        bool, typer.Option("--all-impostors", help="compare all images of different people too, not the listed alone")
    ] = False,
) -> None:
    """Accuracy by fold, FNMR at FMR 1 %, 0.1 % and 0.01 %, errors at a policy, failures to acquire, a DET curve."""
    with explained():
        listed = read_pairs(pairs)
        engine = Engine.open(data_dir=default_data_dir(), pack=default_pack())
        embeddings = _embed_all(images, listed, engine)
        chosen = require_contract(named_or_default(policy, contract=engine.contract), engine.contract)
        report = Report(listed, embeddings, chosen, all_impostors=all_impostors)
        report.show(Console())
        if as_json is not None:
            as_json.write_text(json.dumps(report.content(), indent=2) + "\n", "utf-8")
        if det is not None:
            report.draw(det, title=f"{images.parent.name or images.name}, {engine.contract}")
            typer.echo(f"DET curve: {det}")


class Report:
    """All figures of a run, for people and for machines."""

    def __init__(
        self, listed: tuple[Pair, ...], embeddings: Embeddings, policy: Policy, *, all_impostors: bool
    ) -> None:
        self._policy = policy
        self._failures = sorted(name for name, embedding in embeddings.items() if embedding is None)
        self._images = len(embeddings)
        self._comparisons: Comparisons = compare_pairs(listed, embeddings)
        self._folds: tuple[FoldAccuracy, ...] = accuracy_by_fold(self._comparisons)
        self._points: dict[float, OperatingPoint | None] = {
            fmr: operating_point(self._comparisons, fmr) for fmr in FMRS
        }
        scores = listed_scores(self._comparisons)
        self._at_policy = self._rates(scores, policy.similarity)
        self._worst_pair = worst_person_pair(scores, policy.similarity)
        self._everybody = with_all_impostors(scores, people_of(listed), embeddings) if all_impostors else None

    def content(self) -> dict[str, Any]:
        """The JSON. A figure that the data cannot give is null."""
        mean, deviation, low, high = mean_with_interval(self._folds)
        return {
            "contract": self._policy.contract,
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
            "policy": self._policy.version,
            "similarity": self._policy.similarity,
            "people": self._at_policy.people,
            "fmr_at_policy": self._at_policy.fmr,
            "fmr_upper_95_at_policy": self._at_policy.fmr_upper_95,
            "worst_person_pair_fmr_at_policy": self._worst_pair,
            "fnmr_at_policy": self._at_policy.fnmr,
            "fnmr_upper_95_at_policy": self._at_policy.fnmr_upper_95,
            "all_impostors": None if self._everybody is None else self._all_impostors(self._everybody),
        }

    def _all_impostors(self, scores: PeopleScores) -> dict[str, Any]:
        """Thresholds that so many comparisons support, and what they cost on the listed genuine pairs."""
        at_policy = self._rates(scores, self._policy.similarity)
        thresholds = {fmr: threshold_at(scores, fmr) for fmr in FMRS}
        rates = {fmr: None if each is None else self._rates(scores, each) for fmr, each in thresholds.items()}
        return {
            "impostor": at_policy.impostors,
            "person_pairs": at_policy.person_pairs,
            "fmr_at_policy": at_policy.fmr,
            "fmr_upper_95_at_policy": at_policy.fmr_upper_95,
            **{f"threshold_at_fmr_{fmr:g}": each for fmr, each in thresholds.items()},
            **{f"fnmr_at_fmr_{fmr:g}": each.fnmr if each else None for fmr, each in rates.items()},
            **{f"fnmr_upper_95_at_fmr_{fmr:g}": each.fnmr_upper_95 if each else None for fmr, each in rates.items()},
        }

    @staticmethod
    def _rates(scores: PeopleScores, threshold: float) -> GroupRates:
        return rates_at(scores, threshold, population="listed", target_fmr=TARGET_FMR)

    def show(self, console: Console) -> None:
        """The table."""
        mean, deviation, low, high = mean_with_interval(self._folds)
        table = Table(
            "measure", "value", "95 % interval", title=f"{len(self._comparisons.scores)} pairs, {self._policy.contract}"
        )
        table.add_row("accuracy, mean over folds", f"{mean:.2%} ± {deviation:.2%}", f"{low:.2%} to {high:.2%}")
        for fmr, point in self._points.items():
            if point is None:
                table.add_row(f"FNMR at FMR {fmr:.2%}", "not measured", "too few impostor pairs")
            else:
                value = f"{point.fnmr:.2%} (cosine {point.threshold:.3f})"
                table.add_row(f"FNMR at FMR {fmr:.2%}", value, f"{point.fnmr_low:.2%} to {point.fnmr_high:.2%}")
        for name, share, upper in (
            ("FMR", self._at_policy.fmr, self._at_policy.fmr_upper_95),
            ("FNMR", self._at_policy.fnmr, self._at_policy.fnmr_upper_95),
        ):
            label = f"{name} at policy {self._policy.version} (cosine {self._policy.similarity:.3f})"
            table.add_row(label, f"{share:.3%}", f"up to {upper:.3%}")
        table.add_row(
            "FMR of the worst two people there", f"{self._worst_pair:.2%}", f"{self._at_policy.people} people"
        )
        table.add_row("failures to acquire", f"{len(self._failures)} of {self._images} images", "")
        if self._everybody is not None:
            _add_rows(table, self._all_impostors(self._everybody))
        console.print(table)

    def draw(self, path: Path, *, title: str) -> None:
        """The DET curve."""
        fmr, fnmr = det_points(self._comparisons)
        points = tuple(point for point in self._points.values() if point is not None)
        draw_det(path, fmr=fmr, fnmr=fnmr, points=points, title=f"DET: {title}")


def _add_rows(table: Table, figures: dict[str, Any]) -> None:
    """What all images of different people say."""
    of_all = f"of {figures['impostor']:,} impostors"
    upper = figures["fmr_upper_95_at_policy"]
    table.add_row(f"FMR at that policy, {of_all}", f"{figures['fmr_at_policy']:.4%}", f"up to {upper:.4%}")
    for fmr in FMRS:
        threshold, fnmr, upper = (figures[f"{name}_at_fmr_{fmr:g}"] for name in ("threshold", "fnmr", "fnmr_upper_95"))
        told = "not measured" if threshold is None else f"{fnmr:.2%} (cosine {threshold:.3f})"
        table.add_row(f"FNMR at FMR {fmr:.2%}, {of_all}", told, "" if threshold is None else f"up to {upper:.2%}")


def _embed_all(folder: Path, listed: tuple[Pair, ...], engine: Engine) -> Embeddings:
    names = list(np.unique([name for pair in listed for name in (pair.image_a, pair.image_b)]))
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("embedding", total=len(names))
        return embed_images(folder, map(str, names), engine=engine, advance=lambda: progress.advance(task))
