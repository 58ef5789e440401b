"""Writes the bill of materials as CycloneDX JSON: what requirements.lock pins, and the weights of models/manifest.toml.

Runs in the environment of requirements-tools.lock: `make sbom`. Packages come from cyclonedx-bom; weights are added
here, and the whole is checked against CycloneDX' schema.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SPDX = frozenset({"MIT", "Apache-2.0"})
"""Licences of weights that have an SPDX id; others are told by their name."""
DEFAULT_PACK = "open"


def main() -> int:
    """Writes to the path that is given."""
    if len(sys.argv) != len(("script", "target")):
        sys.stderr.write("usage: sbom.py TARGET\n")
        return 2
    manifest = tomllib.loads((ROOT / "models" / "manifest.toml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    direct = {canonicalize_name(Requirement(each).name) for each in project["dependencies"]}
    bill = with_weights(packages(), list(weights(manifest)), direct=direct)
    text = json.dumps(bill, indent=2, ensure_ascii=False)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        sys.stderr.write(f"the bill of materials is no CycloneDX 1.6: {wrong}\n")
        return 1
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", "utf-8")
    sys.stdout.write(f"{target}: {len(bill['components'])} components\n")
    return 0


def packages() -> dict[str, Any]:
    """The bill of what the lock pins."""
    quiet = ["-W", "ignore::UserWarning"]  # that the service depends on nothing, which `with_weights` mends
    command = [sys.executable, *quiet, "-m", "cyclonedx_py", "requirements", "requirements.lock"]
    options = ["--pyproject", "pyproject.toml", "--sv", "1.6", "--of", "JSON", "--output-reproducible"]
    made = subprocess.run([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def weights(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A component for each weight file. Those of packs that nobody gets unasked are `optional`."""
    for name, entry in manifest["models"].items():
        packs = sorted(pack for pack, table in manifest["packs"].items() if name in _models_of(table))
        needed = DEFAULT_PACK in packs or entry.get("shipped", False)
        notes = {"file": entry["file"], "packs": ", ".join(packs), "training-data": entry["training_data"]}
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"weights-{name}",
            "name": name,
            "version": entry["sha256"],
            "description": entry["origin"],
            "scope": "required" if needed else "optional",
            "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
            "licenses": [{"license": {"id" if entry["licence"] in SPDX else "name": entry["licence"]}}],
            "properties": [{"name": f"heyan:{note}", "value": value} for note, value in notes.items() if value],
        }


def with_weights(bill: dict[str, Any], models: list[dict[str, Any]], *, direct: Set[str]) -> dict[str, Any]:
    """The bill with weights; the service depends on those that it needs, and on the packages `direct` that it names."""
    root = bill["metadata"]["component"]["bom-ref"]
    needed = [model["bom-ref"] for model in models if model["scope"] == "required"]
    graph = {each["ref"]: each for each in bill["dependencies"]} | {
        model["bom-ref"]: {"ref": model["bom-ref"]} for model in models
    }
    named = [each["bom-ref"] for each in bill["components"] if canonicalize_name(each["name"]) in direct]
    graph[root] = {"ref": root, "dependsOn": sorted([*named, *needed])}
    return {**bill, "components": [*bill["components"], *models], "dependencies": list(graph.values())}


def _models_of(pack: Mapping[str, Any]) -> list[str]:
    return [pack.get("detector"), pack.get("embedder"), *pack.get("attack_detectors", ())]


if __name__ == "__main__":
    sys.exit(main())
