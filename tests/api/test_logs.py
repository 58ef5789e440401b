import ast
import json
import logging
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import structlog
from full_run import full_run, settings_of_a_run
from receiver import receiving
from running_service import RunningApi, running_api

from api.logs import FIELDS, configure_logs
from models.engine import Engine

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "log.schema.json").read_text("utf-8"))
EVENTS = set(SCHEMA["anyOf"][1]["properties"]["event"]["enum"])
LINE = jsonschema_rs.validator_for(SCHEMA)


@pytest.fixture(autouse=True)
def _logging_as_before() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    structlog.get_logger().info("request", status=200, route="/v1/cases")
    (line,) = _lines(capsys)
    assert (line["event"], line["status"], line["route"], line["level"]) == ("request", 200, "/v1/cases", "info")


def test_fields_that_nobody_allowed_are_dropped_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    structlog.get_logger().info("invite", name="张三", secret="s3cr3t", case_id="case_1")
    (line,) = _lines(capsys)
    assert line["dropped"] == ["name", "secret"]
    assert "s3cr3t" not in str(line)
    assert "张三" not in str(line)


def test_exceptions_are_logged_by_type_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    try:
        int("310115199001011234 is no number")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    for line in _lines(capsys):
        assert line["error_type"] == "ValueError"
        assert "test_logs.py" in str(line["where"])
        assert "310115199001011234" not in str(line)


def test_levels_below_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning")
    structlog.get_logger().info("quiet")
    assert _lines(capsys) == []


async def test_every_line_of_a_whole_run_is_as_the_schema_says_and_tells_nothing_private(
    engine: Engine, portraits: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("debug")
    async with receiving() as receiver, running_api(settings_of_a_run(tmp_path), engine) as api:
        run = await full_run(api, portraits["person_a_1"], receiver, {})
        photos = {"photo_a": "AAAA", "photo_b": "AAAA"}
        assert (await api.http.post("/v1/compare", json=photos)).status_code == 422
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"request", "session_finished"} <= {line["event"] for line in lines}
    assert [str(error) for line in lines for error in LINE.iter_errors(line)] == []
    assert run.told_in(text) == []
    assert len(run.private) > 10
    assert run.told_in(f"the token is {max(run.private, key=len)}") != []


async def test_the_line_of_a_refused_request_names_the_code(
    api: RunningApi, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info")
    assert (await api.http.get("/v1/cases/case_1")).status_code == 404
    assert (await api.http.get("/v1/cases/case_1", headers={"authorization": "Bearer x"})).status_code == 401
    assert (await api.http.get("/docs")).status_code == 200
    lines = [line for line in _lines(capsys) if line["event"] == "request"]
    assert [line.get("code") for line in lines] == ["case_unknown", "api_key_invalid", None]
    assert [str(error) for line in lines for error in LINE.iter_errors(line)] == []


def test_the_schema_and_the_documentation_know_every_event_and_field() -> None:
    text = (ROOT / "docs" / "logs.md").read_text("utf-8")
    assert SCHEMA["properties"].keys() == FIELDS
    assert sorted(name for name in FIELDS if f"`{name}`" not in text) == []
    assert _events_in_the_code() == EVENTS
    assert sorted(event for event in EVENTS if f"| `{event}` |" not in text) == []


@pytest.mark.parametrize(
    "line",
    [
        {"event": "request", "name": "张三"},
        {"event": "hello"},
        {"event": "request", "route": 7},
        {"event": "session_finished", "session_id": "E12345678"},
        {"event": "request_failed", "where": ["ValueError: 310115199001011234"]},
    ],
)
def test_the_schema_refuses_what_no_line_may_be(line: dict[str, object]) -> None:
    whole = {"level": "info", "timestamp": "2026-11-26T12:00:00.000000Z"}
    assert LINE.is_valid({**whole, "event": "request"})
    assert not LINE.is_valid({**whole, **line})


def test_libraries_are_heard_without_what_they_quote(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("debug")
    logging.getLogger("httpx").info("HTTP Request: %s %s", "POST", "https://registry.example/hook/s3cr3t")
    logging.getLogger("uvicorn.error").debug("< %s", "TEXT s3cr3t")
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    logging.getLogger("urllib3").warning("Retrying %s", "https://s3cr3t.example")
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: <Task exception=ValueError('s3cr3t')>"
    )
    text = capsys.readouterr().err
    assert "s3cr3t" not in text
    assert [json.loads(line)["event"] for line in text.splitlines()] == [
        "Started server process [%d]",
        "Retrying %s",
        "Task exception was never retrieved",
    ]


def _events_in_the_code() -> set[str]:
    """First arguments of calls of a logger: `log.info("…")`, `get_logger("heyan").error("…")`."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "api").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in {"debug", "info", "warning", "error", "exception", "critical"}
        and "log" in ast.unparse(call.func.value)
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
