"""What the service is made of, and what is known against it: the bill of materials and the audit of the lock."""

import json
import re
import socket
import subprocess
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PINNED = {
    (name, version): set(re.findall(r"sha256:([0-9a-f]{64})", rest))
    for name, version, rest in re.findall(r"^([a-z0-9][\w.-]*)==([\w.]+)(.*?)(?=^[a-z0-9]|\Z)", LOCK, re.S | re.M)
}
MODELS = tomllib.loads((ROOT / "models" / "manifest.toml").read_text("utf-8"))["models"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment as `make` makes it."""
    folder = tmp_path_factory.mktemp("tools")
    venv.create(folder, with_pip=True)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", "requirements-tools.lock"]
    ran = subprocess.run([folder / "bin/python", *install], cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        pytest.skip("requirements-tools.lock cannot be installed here: no package index, or none with these files")
    return folder / "bin/python"


@pytest.fixture(scope="module")
def bill(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    target = tmp_path_factory.mktemp("bill") / "sbom.cdx.json"
    subprocess.run([tools, ROOT / "deploy" / "sbom.py", target], check=True)
    made: dict[str, Any] = json.loads(target.read_text("utf-8"))
    return made


def test_the_lock_is_read_whole() -> None:
    assert len(PINNED) == len(re.findall(r"^[a-z0-9].*==", LOCK, re.M)) > 50
    assert all(PINNED.values())


def test_every_package_of_the_lock_stands_in_the_bill_with_version_and_hashes(bill: dict[str, Any]) -> None:
    listed = {(each["name"], each["version"]): each for each in bill["components"] if each["type"] == "library"}
    assert listed.keys() == PINNED.keys()
    for name, hashes in PINNED.items():
        references = listed[name]["externalReferences"]
        told = {each["content"] for reference in references for each in reference.get("hashes", ())}
        assert told == hashes, name


def test_all_weights_stand_in_the_bill_with_hash_and_licence(bill: dict[str, Any]) -> None:
    listed = {each["name"]: each for each in bill["components"] if each["type"] == "machine-learning-model"}
    assert listed.keys() == MODELS.keys()
    for name, entry in MODELS.items():
        assert listed[name]["hashes"] == [{"alg": "SHA-256", "content": entry["sha256"]}]
        (licence,) = listed[name]["licenses"]
        assert entry["licence"] in licence["license"].values()
    needed = {name for name, each in listed.items() if each["scope"] == "required"}
    assert {"yunet_2023mar", "sface_2021dec"} <= needed
    assert not any("non-commercial" in MODELS[name]["licence"] for name in needed)
    (root,) = [each for each in bill["dependencies"] if each["ref"] == bill["metadata"]["component"]["bom-ref"]]
    on = {each["bom-ref"]: each["name"] for each in bill["components"]}
    direct = {on[each] for each in root["dependsOn"]}
    assert {*needed, "fastapi", "onnxruntime", "numpy"} <= direct
    assert "starlette" not in direct


def test_a_database_out_of_reach_is_said_and_is_no_clean_bill(tools: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    dead = ["--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{port}/v1/query", "--timeout", "3"]
    ran = subprocess.run([tools, ROOT / "deploy/audit.py", *dead], capture_output=True, text=True, check=False)
    assert ran.stdout == "no advisory database was reachable; nothing was checked\n"
    assert ran.returncode == 75


def test_an_option_that_does_not_exist_is_no_database_out_of_reach(tools: Path) -> None:
    ran = subprocess.run([tools, ROOT / "deploy/audit.py", "--nonsense"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--nonsense" in ran.stderr


FINE = {"name": "one", "version": "1", "vulns": []}
WEAK = {"name": "two", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "three", "skip_reason": "Dependency not found on PyPI and could not be audited: three (3)"}


@pytest.mark.parametrize(
    ("packages", "code", "says"),
    [
        ([FINE], 0, "1 packages: no known weaknesses"),
        ([FINE, WEAK], 1, "two 2: PYSEC-1; fixed in 3"),
        ([WEAK, UNKNOWN], 1, "two 2: PYSEC-1; fixed in 3"),
        ([UNKNOWN], 75, "nothing was checked"),
        ([FINE, UNKNOWN], 75, "not checked, for no database knows them: three"),
    ],
)
def test_what_was_not_looked_up_is_not_fine(
    packages: list[dict[str, Any]], code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "deploy"))
    import audit

    outcome = audit.judged(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert outcome is not None
    assert outcome.code == code
    assert says in outcome.line


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-tools.lock"])
def test_locks_name_hashes_and_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    pins = re.findall(r"^[a-z0-9][^\n]*==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.M)
    assert len(pins) == len(re.findall(r"^[a-z0-9][^\n]*==", text, re.M)) > 20
    assert "://" not in text
