"""The unit for systemd: it is one, gives up privileges, stops as the service drains, and knows settings that exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = (DEPLOY / "systemd" / "heyan@.service").read_text("utf-8")
GUIDE = (DEPLOY.parent / "docs" / "deploy.md").read_text("utf-8")
PROGRAM = "/opt/heyan/.venv/bin/heyan"
MOST_EXPOSURE = 20
"""Of 100, by `systemd-analyze security`: it calls this OK. An untouched unit has 96."""

GIVEN_UP = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "RestrictNamespaces=yes",
    "SystemCallFilter=@system-service",
    "StateDirectoryMode=0700",
    "UMask=0077",
)


def value(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(found)


def analysed(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """What systemd says of an instance; the program is one that is here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("not installed: systemd-analyze")
    instance = folder / "heyan@8421.service"
    instance.write_text(UNIT.replace(PROGRAM, str(Path(sys.executable).with_name("heyan"))), "utf-8")
    command = ["systemd-analyze", *words, str(instance)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_systemd_takes_it_without_a_word(tmp_path: Path) -> None:
    told = analysed(tmp_path, "verify", "--man=no")
    assert (told.returncode, told.stderr) == (0, "")


def test_systemd_finds_little_that_it_could_do_beside_its_work(tmp_path: Path) -> None:
    told = analysed(tmp_path, "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager")
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr


@pytest.mark.parametrize("line", GIVEN_UP)
def test_privileges_are_given_up(line: str) -> None:
    assert line in UNIT.splitlines()


def test_it_runs_the_service_as_somebody_of_its_own_on_a_private_directory() -> None:
    assert value("ExecStart") == f"{PROGRAM} serve --port %i"
    assert (value("User"), value("StateDirectory")) == ("heyan", "heyan")
    assert f"HEYAN_DATA_DIR=/var/lib/{value('StateDirectory')}" in value("Environment").split()
    assert value("Restart") == "on-failure"
    assert int(value("RestartSec")) > 10 / 5, "5 starts in 10 seconds are all that systemd tries"


def test_a_stop_waits_for_live_sessions_and_leaves_a_store_that_others_use() -> None:
    assert value("KillSignal") == "SIGTERM"
    assert int(value("TimeoutStopSec")) > Settings.model_fields["drain_seconds"].default + 5
    assert value("KillMode") == "process"


def test_the_guide_tells_of_it_with_settings_that_exist() -> None:
    assert "deploy/systemd/heyan@.service" in GUIDE
    assert value("EnvironmentFile") in GUIDE
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", UNIT)) - {"*"}
    assert {name.lower() for name in named} <= set(Settings.model_fields)
