"""The table of metrics is the code's, and alerts and dashboard ask for nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from api.metrics import Metrics

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
CLAIM = "heyan_for"
"""Not a metric: of a key in the JWKS."""
NAME = re.compile(r"\bheyan_[a-z_]+\b")


def metrics() -> list[MetricWrapperBase]:
    return [each for each in vars(Metrics()).values() if isinstance(each, MetricWrapperBase)]


def samples() -> dict[str, set[str]]:
    """Names of samples, and the labels that each has."""
    return {
        each._name + suffix: {*each._labelnames, *(("le",) if suffix == "_bucket" else ())}
        for each in metrics()
        for suffix in SUFFIXES[each._type]
    }


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads((MONITORING / "dashboard.json").read_text("utf-8"))["panels"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in alerts()] + [target["expr"] for panel in panels() for target in panel["targets"]]


def test_the_table_is_the_codes() -> None:
    table = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", table, re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows}
    suffix = {"counter": "_total"}
    assert told == {
        each._name + suffix.get(each._type, ""): (each._type, tuple(each._labelnames), each._documentation)
        for each in metrics()
    }


def test_documents_name_existing_metrics() -> None:
    known = samples().keys() | {each._name for each in metrics() if each._type == "histogram"}
    texts = [path.read_text("utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    named = {name for text in texts for name in re.findall(r"`(heyan_[a-z_]+)\b(?!\()", text)}
    assert len(named) > 10
    assert named - known == {CLAIM}


def test_alerts_and_dashboard_name_existing_metrics() -> None:
    named = {name for text in expressions() for name in NAME.findall(text)}
    assert len(named) > 10
    assert named - samples().keys() == set()


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_labels_of_an_expression_exist(expression: str) -> None:
    known = samples()
    for name, selector in re.findall(r"\b(heyan_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= known[name], expression
    grouped = {label.strip() for part in re.findall(r"\bby \(([^)]*)\)", expression) for label in part.split(",")}
    of_all = set().union(*(known[name] for name in NAME.findall(expression))) | {"instance", "job"}
    assert grouped <= of_all
    assert expression.count("(") == expression.count(")")


def test_what_an_operator_must_hear_of_has_an_alert() -> None:
    asked = " ".join(rule["expr"] for rule in alerts())
    for metric in (
        "heyan_http_request_seconds_bucket",
        "heyan_http_requests_total",
        "heyan_sessions_total",
        "heyan_fraud_signs_total",
        "heyan_ready",
        "heyan_store_seconds",
        "heyan_signing_key_age_seconds",
        "heyan_certificate_expiry_timestamp_seconds",
        "heyan_disk_free_bytes",
        "heyan_round_timestamp_seconds",
        "heyan_checkpoint_timestamp_seconds",
    ):
        assert metric in asked, metric


def test_each_alert_says_how_grave_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["todo"], rule["alert"]


def test_each_panel_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
