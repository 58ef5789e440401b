"""How many processors the process may use, by affinity and by quotas of control groups that are made up here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.processors import usable_processors

ALLOWED = usable_processors(cgroups=Path("/nowhere"), membership=Path("/nowhere"))


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    """Of a unit of systemd, as Linux tells it beside groups of version 1."""
    file = tmp_path / "membership"
    file.write_text("4:memory:/elsewhere\n0::/system.slice/heyan.service\n")
    return file


def limited(cgroups: Path, group: str, content: str) -> None:
    folder = cgroups / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(content)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_a_process_that_is_bound_to_one_processor_has_one_worker() -> None:
    asked = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from api.settings import Settings; print(Settings().workers)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEYAN_")}
    told = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, env=environment, text=True)
    assert told.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("content", "usable"),
    [
        ("max 100000\n", ALLOWED),
        ("100000 100000\n", 1),
        ("1000 100000\n", 1),
        ("100001 100000\n", min(2, ALLOWED)),
        ("6400000 100000\n", min(64, ALLOWED)),
        ("broken", ALLOWED),
        ("1 0", ALLOWED),
    ],
)
def test_a_quota_is_rounded_up_and_adds_none(tmp_path: Path, membership: Path, content: str, usable: int) -> None:
    limited(tmp_path, "system.slice/heyan.service", content)
    assert usable_processors(cgroups=tmp_path, membership=membership) == usable


@pytest.mark.parametrize("group", ["", "system.slice"])
def test_a_group_above_binds_too(tmp_path: Path, membership: Path, group: str) -> None:
    limited(tmp_path, "system.slice/heyan.service", "max 100000")
    limited(tmp_path, group, "50000 100000")
    assert usable_processors(cgroups=tmp_path, membership=membership) == 1


def test_in_a_container_the_mount_is_the_group(tmp_path: Path, membership: Path) -> None:
    membership.write_text("0::/\n")
    limited(tmp_path, "", "90000 100000")
    assert usable_processors(cgroups=tmp_path, membership=membership) == 1


def test_groups_of_version_1_alone_say_nothing(tmp_path: Path, membership: Path) -> None:
    membership.write_text("1:cpu:/heyan\n")
    limited(tmp_path, "heyan", "90000 100000")
    assert usable_processors(cgroups=tmp_path, membership=membership) == ALLOWED
