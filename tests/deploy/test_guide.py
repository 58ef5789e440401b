"""The operator's guide is true: its commands are run, in order, from two replicas behind nginx to a restored backup."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from models.prepare import default_data_dir

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
OWN_STORE = GUIDE.partition("### A Redis or Valkey of its own")[2].partition("\n## ")[0]
"""Needs a server of its own: test_own_store.py runs it."""
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE.replace(OWN_STORE, ""), re.MULTILINE | re.DOTALL)
PROGRAMS = ("nginx", "openssl", "curl")
MARK = "--- the end of a block ---"
SECONDS = 170


def script() -> str:
    """All blocks in one shell that ends at the first command that fails."""
    return "set -eu\n" + "".join(f"{block}echo\necho '{MARK}'\n" for block in BLOCKS)


def free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(each.getsockname()[1]) for each in taken]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not in pytest's private directories: nginx' workers, who are somebody else under root, must enter it."""
    folder = Path(tempfile.mkdtemp(prefix="heyan-guide-"))
    folder.chmod(0o755)
    yield folder
    _end_what_is_left(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def output(folder: Path) -> list[str]:
    """What each block printed."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    (folder / "deploy").symlink_to(ROOT / "deploy")
    sources = default_data_dir() / "models" / "sources"
    ports = dict(zip(("FIRST", "SECOND", "HTTPS"), free_ports(3), strict=True))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEYAN_", "http", "HTTP"))}
    with (folder / "output").open("w+") as told:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", script()],
            cwd=folder,
            env={**kept, **ports, "HEYAN_DATA_DIR": str(folder / "data"), "HEYAN_MODEL_PATH": str(sources)},
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
        told.seek(0)
        text = told.read()
    logs = "".join(log.read_text("utf-8")[-1500:] for log in folder.glob("replica-*.log"))
    assert code == 0, text + logs
    return text.split(MARK)


def _end_what_is_left(folder: Path) -> None:
    """Of a guide that broke off: nginx and stores detach themselves from the shell."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder) in words or str(process.info["cwd"] or "").startswith(str(folder)):
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                process.wait(20)


def test_the_guide_leads_to_two_replicas_and_through_a_restore(output: list[str]) -> None:
    assert len(BLOCKS) == len(output) - 1 == 9
    doctor, _, proxied, tried, renewed, _, drill, redeemed, _, _ = output
    assert "!!" not in doctor
    assert proxied.split() == ['{"status":"ok"}404']
    assert "genuine" in tried or "valid" in tried
    assert renewed.count('{"status":"ok"}') == 2
    assert "begins" in drill
    assert "intact" in drill
    assert redeemed.split()[-2:] == ["token_already_redeemed", "verification_expired"]


def test_nothing_is_left_running(output: list[str], folder: Path) -> None:
    left = [
        each.info for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or [])
    ]
    assert left == []


def test_what_was_not_run_is_marked() -> None:
    fences = re.findall(r"^```(\w+)$", GUIDE, re.MULTILINE)
    assert set(fences) == {"sh", "console"}
    assert "written and linted, never run" in GUIDE
    assert all(
        line.startswith("$ ")
        for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
        for line in block.splitlines()
    )
