"""Traces tell where the time went, and nothing about people; off they load nothing, and FastAPI's own stay off."""

import io
import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import structlog
from fastapi import FastAPI
from full_run import Run, full_run, settings_of_a_run
from opentelemetry import trace
from receiver import receiving
from running_service import RunningApi, running_api

from api.collector import open_traces
from api.logs import configure_logs
from api.settings import Settings, SettingsError, load_settings
from models.engine import Engine

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
QUOTED = "310115199001011234 张三丰"
EXTRA = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation")
INSTALLED = all(find_spec(name) is not None for name in EXTRA)
with_the_extra = pytest.mark.skipif(not INSTALLED, reason="the extra `traces` is not installed")


@dataclass
class Traced:
    """What a run left behind."""

    run: Run
    spans: tuple[Any, ...]
    log: str

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What the service logs meanwhile."""
    root, log = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    with redirect_stderr(log):
        configure_logs("debug")
    yield log
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def telemetry() -> tuple[Any, Any]:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from api.telemetry import Telemetry

    kept = InMemorySpanExporter()
    return Telemetry(kept), kept


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traced(engine: Engine, portraits: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Traced:
    settings, (traces, kept) = settings_of_a_run(tmp_path_factory.mktemp("traced")), telemetry()
    with logged() as log:
        async with receiving() as receiver, running_api(settings, engine, traces=traces) as api:
            with pytest.MonkeyPatch.context() as broken:
                broken.setattr(type(api.services.cases), "get", _failing)
                assert (await api.http.get("/v1/cases/case_x", headers=PARENT)).status_code == 500
            run = await full_run(api, portraits["person_a_1"], receiver, PARENT)
    run.private |= {QUOTED, "张三丰", receiver.url}
    traces.flush()
    traces.close()
    return Traced(run, kept.get_finished_spans(), log.getvalue())


async def _failing(*_: object) -> None:
    raise RuntimeError(QUOTED)


@with_the_extra
def test_a_run_is_told_without_what_it_is_about(traced: Traced) -> None:
    from api.telemetry import FIELDS

    told = "\n".join(span.to_json() for span in traced.spans)
    assert traced.run.told_in(told) == []
    assert {name for span in traced.spans for name in span.attributes} <= FIELDS
    assert {type(value) for span in traced.spans for value in span.attributes.values()} <= {str, int}
    assert not any(span.events or span.links or span.status.description for span in traced.spans)
    stages = Counter(span.name for span in traced.spans)
    assert stages["live_session"] == stages["claim"] == stages["decide"] == 1
    assert stages["live_frame"] > 20
    assert stages["redeem"] == 2
    assert stages["webhook_delivery"] >= 1
    assert stages["POST /v1/tokens/redeem"] == 2
    (session,), (decide,) = traced.named("live_session"), traced.named("decide")
    assert dict(session.attributes) == {"session_id": traced.run.session_id}
    assert decide.attributes["outcome"] == "accepted"
    assert {span.parent.span_id for span in traced.named("live_frame")} == {session.context.span_id}
    assert decide.parent.span_id == session.context.span_id
    inside = {span.attributes["commands"].split()[0] for span in traced.named("store")}
    assert "EVALSHA" in inside
    (posted,) = [span for span in traced.named("webhook_delivery") if span.attributes.get("state") == "delivered"][:1]
    assert posted.attributes["status"] == 204
    refused = [span for span in traced.named("redeem") if "code" in span.attributes]
    assert [span.attributes["code"] for span in refused] == ["restated_field_mismatch"]
    (failed,) = traced.named("GET /v1/cases/{case_id}")
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert {span.name for span in traced.spans if "healthz" in span.name} == set()


@with_the_extra
def test_the_callers_trace_goes_on_and_stands_in_the_log(traced: Traced) -> None:
    requests = [span for span in traced.spans if span.kind is trace.SpanKind.SERVER and "POST" in span.name]
    assert {trace.format_trace_id(span.context.trace_id) for span in requests} == {TRACE_ID}
    lines = [json.loads(line) for line in traced.log.splitlines()]
    told = [line for line in lines if line["event"] == "request"]
    assert {line["trace_id"] for line in told} == {TRACE_ID}
    (session,) = traced.named("live_session")
    (finished,) = [line for line in lines if line["event"] == "session_finished"]
    assert finished["trace_id"] == trace.format_trace_id(session.context.trace_id)
    (failed,) = [line for line in lines if line["event"] == "request_failed"]
    assert failed["trace_id"] == TRACE_ID
    assert traced.run.told_in(traced.log) == []


@with_the_extra
async def test_spans_reach_the_collector_that_is_named(engine: Engine, tmp_path: Path) -> None:
    async with receiving() as collector:
        collector.status = 200
        address = collector.url.removesuffix("/hook")
        settings = Settings(data_dir=tmp_path, port=0, workers=1, traces=address)
        async with running_api(settings, engine) as api:
            assert (await api.http.get("/v1/cases/case_x")).status_code == 404
            assert (await api.http.get("/healthz")).status_code == 200
    (sent, *_) = collector.received
    assert sent.path == "/v1/traces"
    assert b"/v1/cases/{case_id}" in sent.body
    assert b"healthz" not in b"".join(each.body for each in collector.received)


@with_the_extra
async def test_a_collector_that_is_not_there_stops_nothing(engine: Engine, tmp_path: Path) -> None:
    async with receiving() as gone:
        address = gone.url
    async with running_api(Settings(data_dir=tmp_path, port=0, workers=1, traces=address), engine) as api:
        assert (await api.http.get("/v1/cases/case_x")).status_code == 404


async def test_wanted_without_its_packages_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "api.telemetry", raising=False)
    with pytest.raises(SettingsError, match=r"heyan\[traces\]") as caught:
        async with open_traces(Settings(data_dir=tmp_path, traces="http://collector:4318")):
            pass
    assert caught.value.code == "setting_invalid"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://collector.example/", "https://collector.example/v1/traces"),
        ("https://collector.example/tenant/spans", "https://collector.example/tenant/spans"),
    ],
)
def test_an_address_without_a_path_means_the_usual_one(given: str, taken: str) -> None:
    assert load_settings(traces=given).traces == taken


def test_off_nothing_of_it_is_loaded() -> None:
    """FastAPI itself imports the API, and redis-py the SDK where it is installed."""
    ours = ("api.telemetry", "opentelemetry.exporter", "opentelemetry.instrumentation")
    script = f"import sys, api.serve, api.cli; print([name for name in sys.modules if name.startswith({ours!r})])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


async def test_the_frameworks_own_telemetry_cannot_be_switched_on_from_outside(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would send paths, addresses and the texts of exceptions to wherever an `OTEL_*` variable says."""
    asked: list[str] = []

    class Provider(trace.TracerProvider):
        def get_tracer(self, name: str, *_: Any, **__: Any) -> trace.Tracer:
            asked.append(name)
            return trace.NoOpTracer()

    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setattr(trace, "get_tracer_provider", Provider)
    await api.http.get("/v1/cases/case_x")
    assert asked == []
    assert await _asks(FastAPI(), asked), "the framework has changed: this test would pass whatever it did"


async def _asks(app: FastAPI, asked: list[str]) -> bool:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        await http.get("/")
    return bool(asked)
