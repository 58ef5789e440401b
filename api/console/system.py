"""What the console tells of the process itself: models in use, and settings that hold no secret."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from api.settings import PREFIX, Settings
from models.engine import Engine
from models.manifest import ModelEntry

TEXTS_SHOWN = frozenset({"host", "public_url", "issuer", "pack", "ray_application", "policy", "reminder_hours"})
"""Settings of free text that are shown. Other text is not, for it may be an address with a password; nor are files."""

PLAIN = frozenset({bool, int, float, NoneType})


def settings_shown(settings: Settings) -> Mapping[str, str | bool]:
    """Every setting by the name of its variable: its value, or (True, False) whether it is set.

    A number, a yes or no, or one of a few words can be no secret and is shown; all else only if in `TEXTS_SHOWN`.
    Of the policy only what was named: which one is in force, operators may have decided.
    """
    fields = type(settings).model_fields
    shown = {name for name, field in fields.items() if name in TEXTS_SHOWN or _is_plain(field.annotation)}
    values = {name: getattr(settings, name) for name in fields}
    values["policy"] = settings.named_policy
    return {
        PREFIX + name.upper(): ("–" if value is None else str(value)) if name in shown else value is not None
        for name, value in values.items()
    }


def _is_plain(kind: Any) -> bool:
    """Whether values of a type can hold no text of anybody's."""
    if get_origin(kind) in {Union, UnionType}:
        return all(_is_plain(each) for each in get_args(kind))
    return kind in PLAIN or get_origin(kind) is Literal


def models_in_use(engine: Engine) -> Mapping[str, ModelEntry]:
    """What the manifests say of the models that this engine has loaded."""
    return engine.entries
