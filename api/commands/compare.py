"""`heyan compare A B`: do two photos show the same person, and how good are they?"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from api.commands.failing import BAD_INPUT, KNOWN, complain
from api.commands.tables import show_table
from api.comparison import Comparison, compare_photos, judge_photo
from api.composition import open_engine
from api.settings import load_settings
from api.system_errors import unusable
from models.face_quality.assessment import unified_minimum
from verify.policy import named_or_default
from verify.reference_quality import Judged, QualityStatus

MATCH, NO_MATCH = 0, 1

STYLES = {QualityStatus.GOOD: "green", QualityStatus.WARNING: "yellow"}


@dataclass(frozen=True, slots=True)
class Seen:
    """Both photos, in order."""

    comparison: Comparison
    qualities: tuple[tuple[Judged, ...], ...]


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="photo with one face (JPEG, PNG, WebP)")],
    second: Annotated[Path, typer.Argument(metavar="B", help="another one")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, for machines")] = False,
) -> None:
    """Compare two photos, 1:1, without liveness. Exit code 0: match, 1: no match, 2: bad input."""
    try:
        seen = _compare(first, second)
    except KNOWN as error:
        _fail(error.code, str(error), as_json=as_json)
    except OSError as error:
        if error.filename not in {str(first), str(second)}:
            _fail("file_unusable", unusable(error), as_json=as_json)
        _fail("file_unreadable", f"{error.filename}: {error.strerror}; give the path of a photo", as_json=as_json)
    else:
        _show(seen, (first, second), as_json=as_json)
        raise typer.Exit(MATCH if seen.comparison.match else NO_MATCH)


def _compare(first: Path, second: Path) -> Seen:
    settings = load_settings()
    photos = first.read_bytes(), second.read_bytes()
    engine = open_engine(settings)
    policy = named_or_default(settings.named_policy, contract=engine.contract)
    comparison = compare_photos(*photos, engine=engine, policy=policy)
    return Seen(comparison, tuple(judge_photo(photo, engine=engine) for photo in photos))


def _fail(code: str, message: str, *, as_json: bool) -> None:
    complain(code, message)
    if as_json:
        _print_json({"match": False, "similarity": None, "threshold": None, "reason": code, "detail": message})
    raise typer.Exit(BAD_INPUT)


def _show(seen: Seen, photos: tuple[Path, Path], *, as_json: bool) -> None:
    comparison = seen.comparison
    if as_json:
        _print_json({**report(comparison), "quality": [quality_report(each) for each in seen.qualities]})
        return
    table = Table("measure", "value")
    table.add_row("photos", "\n".join(map(str, photos)))
    table.add_row("similarity", f"{comparison.similarity:.3f}")
    table.add_row("threshold", f"{comparison.threshold:.3f} (policy {comparison.policy})")
    table.add_row("models", comparison.contract)
    verdict = "[green]the same person" if comparison.match else "[yellow]not the same person"
    table.add_row("result", verdict)
    console = Console()
    show_table(_quality_table(seen.qualities))
    for line in _advice(photos, seen.qualities):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    show_table(table)


def report(comparison: Comparison) -> dict[str, Any]:
    """The JSON of a comparison."""
    return {
        "match": comparison.match,
        "similarity": round(comparison.similarity, 6),
        "threshold": comparison.threshold,
        "reason": comparison.reason,
        "policy": comparison.policy,
        "contract": comparison.contract,
    }


def quality_report(judged: Sequence[Judged]) -> dict[str, Any]:
    """The JSON of one photo's quality: raw values, scores 0 to 100, status; null where it cannot be assessed."""
    return {
        "unified_minimum": _rounded(unified_minimum([each.component for each in judged])),
        "components": {
            each.component.name: {
                "raw": _rounded(each.component.raw),
                "unit": each.component.unit,
                "score": _rounded(each.component.score),
                "status": each.status.value,
            }
            for each in judged
        },
    }


def _quality_table(qualities: Sequence[Sequence[Judged]]) -> Table:
    table = Table(Column("quality, 0 to 100", no_wrap=True), "A", "B", "raw A", "raw B", "unit")
    for both in zip(*qualities, strict=True):
        component = both[0].component
        scores = (_score(each) for each in both)
        raw = ("–" if each.component.raw is None else f"{each.component.raw:.3g}" for each in both)
        table.add_row(component.name, *scores, *raw, component.unit)
    least = (unified_minimum([each.component for each in judged]) for judged in qualities)
    table.add_row("unified minimum", *("–" if value is None else f"{value:.0f}" for value in least), "", "", "")
    return table


def _score(judged: Judged) -> str:
    score, style = judged.component.score, STYLES.get(judged.status)
    shown = "–" if score is None else f"{score:.0f}"
    return shown if style is None else f"[{style}]{shown}[/]"


def _advice(photos: tuple[Path, Path], qualities: Sequence[Sequence[Judged]]) -> Iterator[str]:
    for photo, judged in zip(photos, qualities, strict=True):
        yield from (f"{photo.name}: {each.advice}" for each in judged if each.advice is not None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, allow_nan=False))
