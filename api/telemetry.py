"""Spans by OpenTelemetry: the one home of its SDK, its exporter and its instrumentation of FastAPI.

Instrumentation notes paths, addresses and the texts of exceptions; what leaves is only what a list allows, as in logs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import time_ns
from typing import Any, Protocol

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_trace_id, get_current_span
from structlog.contextvars import bound_contextvars

from api.access_log import QUIET, UNROUTED
from api.traces import NOTHING
from verify.connection import Command

FIELDS = frozenset(
    {
        "http.method", "http.request.method", "http.route", "http.status_code", "http.response.status_code",
        "error.type", "code", "commands", "session_id", "outcome", "state", "status",
    }
)  # fmt: skip
"""All attributes that a span may have when it leaves: method, route template, status, codes, random ids."""

SEND_SECONDS = 5.0
"""For one batch, with repeats; also how long the end of the service waits for the last one."""

MOST_COMMANDS = 8
"""Names of commands that the span of a round trip tells."""


class Exporter(Protocol):
    """What this module needs of an exporter."""

    def export(self, spans: Sequence[ReadableSpan]) -> Any: ...
    def shutdown(self) -> None: ...
    def force_flush(self, timeout_millis: int = ...) -> bool: ...


class Telemetry:
    """Spans to an exporter. See `api.traces.Traces`."""

    def __init__(self, exporter: Exporter) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "heyan"}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(CarefulExporter(exporter)))
        self._tracer: Tracer = self._provider.get_tracer("heyan")

    def cover(self, app: FastAPI) -> None:
        """Spans around all middleware; none for what machines ask every few seconds."""
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=self._provider,
            meter_provider=NoOpMeterProvider(),
            excluded_urls=",".join(f"^https?://[^/]*{path}$" for path in sorted(QUIET)),
            exclude_spans=["receive", "send"],
        )

    @contextmanager
    def work(self, name: str, **fields: str) -> Iterator[None]:
        """A span that stands for itself, with log lines under its trace id."""
        with self._span(name, fields), bound_contextvars(**self.log_fields()):
            yield

    def stage(self, name: str) -> AbstractContextManager[None]:
        """A span within the current one."""
        return self._span(name, {}) if get_current_span().is_recording() else NOTHING

    def ended(self, name: str, seconds: float) -> None:
        """A span within the current one that ends now."""
        if get_current_span().is_recording():
            now = time_ns()
            self._tracer.start_span(name, start_time=now - round(seconds * 1e9)).end(now)

    def round_trip(self, commands: Sequence[Command]) -> AbstractContextManager[None]:
        """A span with the commands' names, never their keys and values."""
        if not get_current_span().is_recording():
            return NOTHING
        named = " ".join(str(command[0]) for command in commands[:MOST_COMMANDS])
        return self._span("store", {"commands": named}, kind=SpanKind.CLIENT)

    def note(self, **fields: str | int) -> None:
        """Add to the current span."""
        get_current_span().set_attributes(fields)

    def log_fields(self) -> Mapping[str, str]:
        """The id of the current trace."""
        context = get_current_span().get_span_context()
        return {"trace_id": format_trace_id(context.trace_id)} if context.is_valid else {}

    def flush(self) -> None:
        """Send what has ended so far."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    @contextmanager
    def _span(self, name: str, fields: Mapping[str, str], *, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[None]:
        """A failure is told by its type alone."""
        options: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
        with self._tracer.start_as_current_span(name, kind=kind, attributes=fields, **options) as span:
            try:
                yield
            except Exception as error:
                _failed(span, error)
                raise


def exporter_to(endpoint: str) -> Exporter:
    """OTLP over HTTP to a collector. Headers and certificates: `OTEL_EXPORTER_OTLP_*` of its own."""
    exporter: Exporter = OTLPSpanExporter(endpoint=endpoint, timeout=SEND_SECONDS)
    return exporter


class CarefulExporter:
    """Sends copies of spans that hold what `FIELDS` allows, and no events, which quote exceptions."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> Any:
        """Send these spans."""
        return self._exporter.export([careful(span) for span in spans])

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._exporter.force_flush(timeout_millis)


def careful(span: ReadableSpan) -> ReadableSpan:
    """The span without whatever nobody allowed: attributes, events, links, the text of its status and its state."""
    fields = {name: value for name, value in (span.attributes or {}).items() if name in FIELDS}
    return ReadableSpan(
        name=_request_name(fields) if span.kind is SpanKind.SERVER else span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=fields,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _request_name(fields: Mapping[str, Any]) -> str:
    """Method and route template; a connection of a phone has no method."""
    method = fields.get("http.request.method", fields.get("http.method", ""))
    return f"{method} {fields.get('http.route', UNROUTED)}".strip()


def _failed(span: Span, error: Exception) -> None:
    code = getattr(error, "code", None)
    span.set_attribute("error.type", type(error).__qualname__)
    if isinstance(code, str):
        span.set_attribute("code", code)
    span.set_status(Status(StatusCode.ERROR))
