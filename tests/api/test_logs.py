import json
import logging

import pytest
import structlog

from api.logs import configure_logs


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
