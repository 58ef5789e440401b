"""Structured logs: one JSON object a line, on standard error, without personal data or secrets.

Only fields on a list are written. A field that somebody adds without thinking is dropped and named, so that a name, a
photo, a token or an invite cannot leak by accident; exceptions are logged by type and place, never by their text.
Libraries quote addresses, frames and exceptions in their messages: of those only the text in their code is written.
docs/logs.md lists events and fields, docs/log.schema.json is the schema of a line.
"""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

FIELDS = frozenset(
    {
        "event", "level", "timestamp", "logger",
        "request_id", "trace_id", "method", "route", "status", "seconds", "code",
        "case_id", "session_id", "client_id", "outcome", "work",
        "error_type", "where", "dropped",
        "address", "version", "provider", "pack", "store", "live_sessions",
    }
)  # fmt: skip
"""All that a log line may hold: ids are random and mean nothing outside this service."""

FRAMES_SHOWN = 6

SERVER = "uvicorn"
LONGEST_MESSAGE = 200
"""Characters of a library's message."""


def configure_logs(level: str) -> None:
    """Send structlog and the standard library's loggers (uvicorn's, redis's) through the same processors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(worth_telling)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                unfilled_message,
                hide_exception_text,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                only_known_fields,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            hide_exception_text,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )


def worth_telling(record: logging.LogRecord) -> bool:
    """Our own lines, the server's from `info` on, other libraries' warnings and errors.

    Below that httpx tells the URL of each request, and the WebSocket library what phones send.
    """
    own, server = isinstance(record.msg, dict), record.name.split(".")[0] == SERVER
    return own or record.levelno >= (logging.INFO if server else logging.WARNING)


def unfilled_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A library's message as it stands in its code, without the values; the first line, for asyncio's quotes more."""
    message = str(event["_record"].msg)
    event["event"] = message.partition("\n")[0][:LONGEST_MESSAGE]
    return event


def only_known_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop every field that is not in `FIELDS`, and say which ones were dropped."""
    kept = {name: value for name, value in event.items() if name in FIELDS}
    dropped = sorted(set(event) - FIELDS)
    return {**kept, "dropped": dropped} if dropped else kept


def hide_exception_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and place: its text may quote what a person sent."""
    caught = event.pop("exc_info", None)
    record = event.get("_record")
    if record is not None and record.exc_info:
        caught, record.exc_info, record.exc_text = record.exc_info, None, None
    error = _exception_of(caught)
    if error is not None:
        event["error_type"] = type(error).__qualname__
        event["where"] = places(error.__traceback__)
    return event


def places(trace: TracebackType | None) -> list[str]:
    """The innermost places of a traceback, as `file:line function`, without source lines or values."""
    frames = traceback.extract_tb(trace)[-FRAMES_SHOWN:]
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]


def _exception_of(caught: Any) -> BaseException | None:
    if isinstance(caught, BaseException):
        return caught
    if isinstance(caught, tuple):
        return caught[1] if isinstance(caught[1], BaseException) else None
    return sys.exc_info()[1] if caught else None
