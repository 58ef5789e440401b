"""The integrator's guide is true: its commands are run, in order, against a real service."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.service import running_service
from verify.simulation import PARTS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "integrate.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
MARK = "--- the end of a block ---"


def script() -> str:
    """All blocks in one shell that ends at the first command that fails."""
    return "set -eu\n" + "".join(f"{block}echo\necho '{MARK}'\n" for block in BLOCKS)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("guide")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    with running_service(folder / "data") as service:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEYAN_", "http", "HTTP"))}
        ran = subprocess.run(
            ["/bin/sh", "-c", script()],
            check=False,
            cwd=folder,
            env={**kept, "HOST": service.url, "HEYAN_DATA_DIR": str(service.data_dir)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.split(MARK)


def test_the_guide_leads_to_a_redeemed_token_and_shows_what_it_says(output: list[str]) -> None:
    assert len(BLOCKS) == len(output) - 1 == 7
    _, _, simulated, invited, redeemed, told, failed, _ = output
    assert '"outcome":"accepted"' in simulated
    assert simulated.split()[-1].endswith("verified")
    assert invited.split() == ["already_verified"]
    assert redeemed.split()[0] == "token_already_redeemed"
    assert '"kty":"OKP"' in redeemed
    assert redeemed.split()[-1].endswith("completed")
    assert re.findall(r"^event: (.*)$", told, re.MULTILINE) == [
        "case.opened",
        "subject.consented",
        "subject.verified",
        "token.redeemed",
        "case.completed",
    ]
    assert '{"webhooks":[]}' in told
    assert failed.split() == ["not_verified", "not_verified", "cancelled"]


def test_the_table_lists_every_test_subject_and_what_they_do() -> None:
    rows = dict(re.findall(r"^\| `(Test [^`]+)` \| ([^|]+) \|", GUIDE, re.MULTILINE))
    assert rows == {name: part.meaning for name, part in PARTS.items()}
