"""Pages of the console: templates that escape all that they are told, in words of two languages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from verify.actions import ACTIONS, ROLES

HERE = Path(__file__).parent
HOUR_SECONDS = 3600.0


def render(name: str, *, language: str, **content: Any) -> str:
    """A page in a language (`zh`, `en`)."""
    return environment().get_template(name).render(language=language, w=words(language), **content)


@cache
def environment() -> Environment:
    """All templates; a name that is not known is an error, never an empty place."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(moment=moment, duration=duration, ago=ago, actor=actor)
    made.globals.update(bars=bars, action_words=action_words, role_words=role_words)
    return made


@cache
def words(language: str) -> Mapping[str, Any]:
    """All words of the console in a language."""
    content: Mapping[str, Any] = json.loads((HERE / f"words.{language}.json").read_text("utf-8"))
    return content


def moment(at: float) -> str:
    """Unix seconds as UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(value: float) -> str:
    """How long something takes: seconds as milliseconds below one second."""
    if value < 1:
        return f"{value * 1000:.1f} ms" if value < 0.01 else f"{value * 1000:.0f} ms"  # noqa: PLR2004
    return f"{value:.1f} s"


def ago(value: float) -> str:
    """How long ago: `42 s`, `5 min`, `3 h`, `2 d`."""
    for unit, size in (("d", 86400.0), ("h", HOUR_SECONDS), ("min", 60.0)):
        if value >= size:
            return f"{value / size:.0f} {unit}"
    return f"{max(0.0, value):.0f} s"


def actor(who: str) -> str:
    """Of `client:cli_…` only what kind it is."""
    return who.partition(":")[0]


def action_words(action: str, language: str) -> str:
    """A statutory action in words; of a client's own the name."""
    known = ACTIONS.get(action)
    return action if known is None else known.zh if language == "zh" else known.en


def role_words(role: str, language: str) -> str:
    """A statutory role in words; of a client's own the name."""
    known = ROLES.get(role)
    return role if known is None else known[0 if language == "zh" else 1]


def bars(values: Sequence[int], *, height: int = 40, width: int = 6) -> Iterator[tuple[int, float, float, int]]:
    """Bars of an inline SVG: x, y, height and value. The largest is as high as the picture, none but 0 is invisible."""
    most = max(values, default=0)
    for place, value in enumerate(values):
        tall = max(1.0, height * value / most) if value else 0.0
        yield place * width, round(height - tall, 1), round(tall, 1), value
