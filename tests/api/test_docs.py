"""What the service can say and be asked is documented."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tomllib import loads
from typing import Any

from running_service import RunningApi

from api.live_sessions import RESULT_SECONDS
from api.problems import HTTP_CODES
from verify.notices import CATALOGUE, PING
from verify.reference_quality import quality_lines

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "verify", "liveness", "models")
CODED = {
    "ApiError",
    "FrameError",
    "StreamError",
    "SettingsError",
    "PolicyError",
    *(
        name
        for module in ("verify.errors", "models.errors")
        for name in vars(import_module(module))
        if name[0].isupper()
    ),
}


def _codes_of(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name not in CODED and name != "__init__":
        return
    given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "code")]
    for argument in given:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _codes() -> set[str]:
    trees = [ast.parse(path.read_text("utf-8")) for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = {code for call in calls for code in _codes_of(call)}
    return {code for code in found if code.replace("_", "").isalnum() and code.islower()} | set(HTTP_CODES.values())


def test_the_scan_finds_codes_of_every_package() -> None:
    assert {"message_unknown", "image_truncated", "token_already_redeemed", "policy_unknown"} <= _codes()


def test_every_error_code_is_documented() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert sorted(code for code in _codes() if f"`{code}`" not in text) == []


def test_every_notice_is_documented() -> None:
    text = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    assert [kind for kind in (*CATALOGUE, PING) if f"| `{kind}` |" not in text] == []


def test_every_warning_of_an_id_photo_is_documented() -> None:
    text = (ROOT / "docs" / "http.md").read_text("utf-8")
    assert [name for name in quality_lines().components if f"`{name}`" not in text] == []


async def openapi_of(api: RunningApi) -> Any:
    return (await api.http.get("/openapi.json")).json()


async def test_every_endpoint_is_documented(api: RunningApi) -> None:
    openapi = await openapi_of(api)
    text = (ROOT / "docs" / "http.md").read_text("utf-8")
    endpoints = [f"{method.upper()} {path}" for path, methods in openapi["paths"].items() for method in methods]
    assert len(endpoints) > 10
    assert [endpoint for endpoint in endpoints if f"`{endpoint}`" not in text] == []


async def test_every_body_has_an_example(api: RunningApi) -> None:
    openapi = await openapi_of(api)
    bodies = [
        body["schema"]
        for methods in openapi["paths"].values()
        for operation in methods.values()
        for body in operation.get("requestBody", {}).get("content", {}).values()
    ]
    schemas = openapi["components"]["schemas"]
    resolved = [schemas[body["$ref"].rsplit("/", 1)[-1]] if "$ref" in body else body for body in bodies]
    assert [schema["title"] for schema in resolved if not schema.get("examples")] == []


async def test_it_is_said_whose_word_the_provenance_of_a_photo_is(api: RunningApi) -> None:
    schemas = (await openapi_of(api))["components"]["schemas"]
    told = [schemas[name]["properties"]["provenance"]["description"] for name in ("ReferenceBody", "SubjectBody")]
    told += [(ROOT / "docs" / name).read_text("utf-8") for name in ("receipts.md", "limits.md", "authority.md")]
    assert [text for text in told if "the client's own word" not in text] == []


def test_when_a_result_leaves_is_documented() -> None:
    text = (ROOT / "docs" / "stream.md").read_text("utf-8")
    assert f"The result leaves {RESULT_SECONDS} seconds after the last frame" in text


def test_which_package_may_import_which_is_documented() -> None:
    contracts = loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [layer.split(" | ") for layer in contracts[0]["layers"]]
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = text.split("| may import |")[1].split("\n\n")[0]
    rows = {cells[1].strip(" `"): cells[-2] for line in table.splitlines() if len(cells := line.split("|")) > 3}
    for number, packages in enumerate(layers):
        below = {package for layer in layers[number + 1 :] for package in layer}
        for package in packages:
            assert set(re.findall(r"`(\w+)`", rows[package])) == below, package


def test_how_many_people_two_cores_carry_is_as_measured() -> None:
    measured = (ROOT / "docs" / "performance.md").read_text("utf-8").split("<!-- begin heyan-bench service -->")[1]
    (knee,) = re.findall(r"^\| (\d+) \(knee\)", measured.split("<!-- end")[0], re.MULTILINE)
    assert f"two cores carry {knee} people at once" in (ROOT / "docs" / "load.md").read_text("utf-8")


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = document.read_text("utf-8")
        targets = [part.split(")")[0].split("#")[0] for part in text.split("](")[1:]]
        broken = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
        assert not broken, f"{document.name}: {broken}"


def test_whoever_acts_on_the_command_line_is_named_as_operators_are() -> None:
    shown = [path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")]
    assert [
        name for text in shown for name in re.findall(r"--as ([a-z]\w+)", text) if not name.startswith("opr_")
    ] == []
    alerts = (ROOT / "deploy" / "monitoring" / "alerts.yml").read_text("utf-8")
    rotated = re.findall(r"`heyan keys rotate [^`]*`", alerts)
    assert rotated
    assert all("--as " in each for each in rotated)
