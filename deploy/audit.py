"""Asks a database of advisories for known weaknesses of what requirements.lock pins.

Runs pip-audit in the environment of requirements-tools.lock: `make audit`. pip-audit counts what its database has never
heard of as fine, and ends well if that is everything, as behind a mirror: here nothing is fine that was not looked up.

Ends with 0 if all was looked up and nothing found, 1 for findings or a lock that cannot be read, and 75 (`EX_TEMPFAIL`)
if something could not be looked up and nothing was found in the rest.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

LOCK = Path(__file__).parents[1] / "requirements.lock"
FINE, FOUND, NOT_CHECKED = 0, 1, 75
UNREACHABLE = re.compile(r"ConnectionError|Timeout|ProxyError|SSLError|HTTPError|VulnServiceException|ConnectTimeout")
"""In what pip-audit says when it ends without an answer."""


@dataclass(frozen=True)
class Outcome:
    """What to say, and how to end."""

    line: str
    code: int


def main() -> int:
    """Arguments are pip-audit's own, such as `--vulnerability-service osv`."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", *sys.argv[1:]]
    with Console(stderr=True).status("asking for advisories"):
        ran = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    outcome = judged(ran.stdout, ran.stderr)
    if outcome is None:
        sys.stderr.write(ran.stderr)
        return ran.returncode or FOUND
    sys.stdout.write(outcome.line + "\n")
    return outcome.code


def judged(answer: str, errors: str) -> Outcome | None:
    """What pip-audit's answer comes to; None if it failed by itself."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError):
        nothing = Outcome("no advisory database was reachable; nothing was checked", NOT_CHECKED)
        return nothing if UNREACHABLE.search(errors) else None
    found = [_told(package) for package in packages if package.get("vulns")]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if found:
        return Outcome("\n".join([*found, f"{len(found)} of {len(packages)} packages have known weaknesses"]), FOUND)
    if len(unknown) == len(packages):
        return Outcome("no advisory database was reachable that knows these packages; nothing was checked", NOT_CHECKED)
    if unknown:
        return Outcome(f"not checked, for no database knows them: {', '.join(unknown)}", NOT_CHECKED)
    return Outcome(f"{len(packages)} packages: no known weaknesses", FINE)


def _told(package: dict[str, Any]) -> str:
    ids: Sequence[str] = [each["id"] for each in package["vulns"]]
    fixed = sorted({version for each in package["vulns"] for version in each.get("fix_versions", ())})
    return f"{package['name']} {package['version']}: {', '.join(ids)}; fixed in {', '.join(fixed) or 'no version yet'}"


if __name__ == "__main__":
    sys.exit(main())
