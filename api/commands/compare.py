"""`heyan compare A B`: do two photos show the same person?"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.commands.failing import BAD_INPUT, KNOWN, complain
from api.comparison import Comparison, compare_photos
from api.settings import load_settings
from models.engine import Engine
from verify.policy import named_or_default

MATCH, NO_MATCH = 0, 1


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="photo with one face (JPEG, PNG, WebP)")],
    second: Annotated[Path, typer.Argument(metavar="B", help="another one")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, for machines")] = False,
) -> None:
    """Compare two photos, 1:1, without liveness. Exit code 0: match, 1: no match, 2: bad input."""
    try:
        comparison = _compare(first, second)
    except KNOWN as error:
        _fail(error.code, str(error), as_json=as_json)
    except OSError as error:
        _fail("file_unreadable", f"{error.filename}: {error.strerror}; give the path of a photo", as_json=as_json)
    else:
        _show(comparison, (first, second), as_json=as_json)
        raise typer.Exit(MATCH if comparison.match else NO_MATCH)


def _compare(first: Path, second: Path) -> Comparison:
    settings = load_settings()
    photos = first.read_bytes(), second.read_bytes()
    engine = Engine.open(
        data_dir=settings.data_dir, pack=settings.pack, provider=settings.provider, threads=settings.threads
    )
    policy = named_or_default(settings.named_policy, contract=engine.contract)
    return compare_photos(*photos, engine=engine, policy=policy)


def _fail(code: str, message: str, *, as_json: bool) -> None:
    complain(code, message)
    if as_json:
        _print_json({"match": False, "similarity": None, "threshold": None, "reason": code, "detail": message})
    raise typer.Exit(BAD_INPUT)


def _show(comparison: Comparison, photos: tuple[Path, Path], *, as_json: bool) -> None:
    if as_json:
        _print_json(report(comparison))
        return
    table = Table("measure", "value")
    table.add_row("photos", "\n".join(map(str, photos)))
    table.add_row("similarity", f"{comparison.similarity:.3f}")
    table.add_row("threshold", f"{comparison.threshold:.3f} (policy {comparison.policy})")
    table.add_row("models", comparison.contract)
    verdict = "[green]the same person" if comparison.match else "[yellow]not the same person"
    table.add_row("result", verdict)
    Console().print(table)


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


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, allow_nan=False))
