"""The photo service of `examples/`, as a process of its own that a test may stop and start again."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

START_SECONDS = 60.0


@dataclass
class AuthorityProcess:
    """Serves `photos` under certificates in `keys`, always on the same port."""

    photos: Path
    keys: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def start(self) -> None:
        command = ["serve", str(self.photos), "--keys", str(self.keys), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.authority", *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        until = monotonic() + START_SECONDS
        while not self._listens():
            assert self._process.poll() is None, "the authority has ended"
            assert monotonic() < until, "the authority does not start"
            sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def running_authority(folder: Path, photos: dict[str, bytes]) -> Iterator[AuthorityProcess]:
    """Certificates made by the command, photos by file name, and the process."""
    (folder / "photos").mkdir()
    for name, content in photos.items():
        (folder / "photos" / name).write_bytes(content)
    keys = folder / "keys"
    subprocess.run([sys.executable, "-m", "examples.authority", "certificates", str(keys)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    authority = AuthorityProcess(folder / "photos", keys, port)
    authority.start()
    try:
        yield authority
    finally:
        authority.stop()
