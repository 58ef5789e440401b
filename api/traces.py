"""Traces: what a request or a live session spent its time on. Off unless the operator names a collector.

What is traced is what `api.metrics` measures, and each round trip to the store. This module knows no library:
`api.telemetry` does, which `api.collector` loads when traces are on.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from fastapi import FastAPI

from verify.connection import Command


class Traces(Protocol):
    """Where spans begin and end. Fields are those that `api.telemetry.FIELDS` lists; others are not sent."""

    def cover(self, app: FastAPI) -> None:
        """A span for each request and each connection of a phone, under the caller's `traceparent` if there is one."""

    def work(self, name: str, **fields: str) -> AbstractContextManager[None]:
        """A span that stands for itself, with log lines under its trace id."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """A span within the current one; nothing if there is none."""

    def ended(self, name: str, seconds: float) -> None:
        """A span within the current one that ends now and took so long; nothing if there is none."""

    def round_trip(self, commands: Sequence[Command]) -> AbstractContextManager[None]:
        """A span for these commands to the store within the current one; nothing if there is none."""

    def note(self, **fields: str | int) -> None:
        """Add to the current span."""

    def log_fields(self) -> Mapping[str, str]:
        """What log lines say of the current span: `trace_id`, 32 hexadecimal digits; nothing if there is none."""

    def close(self) -> None:
        """Send what is left. Waits for the collector for some seconds at most."""


NOTHING: AbstractContextManager[None] = nullcontext()


class NoTraces:
    """What is in force while traces are off."""

    def cover(self, app: FastAPI) -> None: ...

    def work(self, name: str, **fields: str) -> AbstractContextManager[None]:  # noqa: ARG002 - the protocol's
        return NOTHING

    def stage(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002
        return NOTHING

    def ended(self, name: str, seconds: float) -> None: ...

    def round_trip(self, commands: Sequence[Command]) -> AbstractContextManager[None]:  # noqa: ARG002
        return NOTHING

    def note(self, **fields: str | int) -> None: ...

    def log_fields(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None: ...


OFF = NoTraces()
