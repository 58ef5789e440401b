"""The registration service of `examples/one_window` for tests: a process of its own beside a heyan of its own."""

import asyncio
import json
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from typing import Any

import httpx

from benchmarks.service import Service
from verify.casefile import Mode
from verify.clients import Clients
from verify.store import open_store

WAIT_SECONDS = 60.0
AWAIT_SECONDS = 25.0
"""Without any news."""
Json = dict[str, Any]


@dataclass
class WindowProcess:
    """A window on `port`, which may be stopped and started again on the same `data`."""

    heyan: Service
    api_key: str
    data: Path
    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=WAIT_SECONDS)

    def start(self) -> None:
        key_file = self.data.with_name("heyan.key")
        key_file.write_text(self.api_key, "ascii")
        options = ["--heyan", self.heyan.url, "--key-file", key_file, "--data", self.data, "--port", str(self.port)]
        command = [sys.executable, "-m", "examples.one_window", "serve", *options]
        with self.data.with_name("window.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        assert any("Ctrl-C" in line for line in lines), self.data.with_name("window.log").read_text("utf-8")

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def awaited(self, filing_id: str, until: Callable[[Json], bool]) -> Json:
        """The filing as soon as it is as wanted, by the events that the page gets too."""
        events = f"{self.url}/api/filings/{filing_id}/events"
        with httpx.stream("GET", events, timeout=AWAIT_SECONDS) as told:
            for line in told.iter_lines():
                if line.startswith("data: ") and until(filing := json.loads(line.removeprefix("data: "))):
                    return filing
        raise AssertionError("the stream has ended")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running_window(heyan: Service, folder: Path, *, mode: Mode) -> Iterator[WindowProcess]:
    """A window with a key of its own, whose links may lead back to it."""
    folder.mkdir(parents=True)
    port = free_port()

    async def made() -> str:
        async with await open_store(None, heyan.data_dir, supervise=False) as store:
            clients = Clients(store, token_bytes)
            return (await clients.create("登记窗口", mode=mode, return_origins=[f"http://127.0.0.1:{port}"]))[1]

    window = WindowProcess(heyan, asyncio.run(made()), folder / "data", port)
    window.start()
    try:
        yield window
    finally:
        window.stop()


def entered(name: str, number: str, *roles: str, photo: bytes, share: str | None = None) -> Json:
    """One person as a clerk enters them."""
    return {
        "name": name,
        "id_type": "passport",
        "id_number": number,
        "roles": roles,
        "share_percent": share,
        "photo": b64encode(photo).decode(),
    }
