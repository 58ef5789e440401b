"""Bodies of health and readiness."""

from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import Body


class Alive(Body):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(Body):
    """One condition of being ready."""

    name: str = Field(description="`store`, `durability`, `clock`, `schema`, `faces`, `models` or `accepting`")
    ok: bool
    detail: str = Field(description="what was found, and what to do if it is not well")


class Ready(Body):
    """Whether this process should get traffic."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ready": True, "checks": [{"name": "store", "ok": True, "detail": "valkey 9.1.2 answers"}]}]
        }
    )

    ready: bool
    checks: tuple[Check, ...]
