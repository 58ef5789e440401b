"""The way to a deployment on Ray Serve. Ray is imported when somebody wants to go it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

from models.errors import EngineUnavailableError, ModelError
from models.remote.network import Answer, Pictures, Task

APPLICATION = "heyan"
DEPLOYMENT = "Networks"
"""Of the application, in its configuration."""

JOIN_SECONDS = 15.0
"""How long joining a cluster is waited for: a process does it once."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing about a machine leaves it
    "RAY_gcs_rpc_server_reconnect_timeout_s": "31536000",  # else Ray ends this process a minute after the cluster
}
"""Read by Ray when it is imported. A service whose cluster is gone still redeems tokens."""


def require_ray() -> str:
    """The version of Ray that is installed. Raises ModelError `engine_missing`, which names the package."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.serve
    except ImportError as error:
        message = f"HEYAN_ENGINE=ray needs the package ray[serve] ({error}): pip install 'heyan[ray]'"
        raise ModelError("engine_missing", f"{message}, or set HEYAN_ENGINE=local") from None
    return str(ray.__version__)


@dataclass(slots=True)
class RayFarm:
    """A deployment on a Ray cluster that this machine has joined. Thread safe; connects when it is first asked.

    Call from threads without a running event loop.
    """

    address: str
    """As Ray takes it: `auto`, or HOST:PORT of the cluster's head."""
    application: str
    seconds: float
    """For which one answer is waited."""
    _handle: "Future[Any] | None" = field(default=None, init=False)
    _joining: Lock = field(default_factory=Lock, init=False)

    def describe(self) -> Any:
        """As `models.remote.network.Farm.describe`."""
        return self._asked("describe")

    def run(self, task: Task, pictures: Pictures) -> Answer:
        """As `models.remote.network.Farm.run`."""
        answer: Answer = self._asked(task, pictures)
        return answer

    def _asked(self, method: str, *arguments: Any) -> Any:
        with _explained(self.seconds):
            response = getattr(self._connected(), method).remote(*arguments)
            try:
                return response.result(timeout_s=self.seconds)
            except TimeoutError:
                response.cancel()
                raise

    def _connected(self) -> Any:
        """The deployment's handle; a join that failed is tried again, one that hangs is waited for again."""
        with self._joining:
            if self._handle is None or (self._handle.done() and self._handle.exception() is not None):
                self._handle = _begun(lambda: _join(self.address, self.application))
            handle = self._handle
        try:
            return handle.result(timeout=JOIN_SECONDS)
        except TimeoutError:
            if handle.done():
                raise
            message = f"the cluster was not joined within {JOIN_SECONDS:g} seconds"
            reason = f"HEYAN_RAY_ADDRESS is {self.address}: `ray start --address=…` on this machine"
            raise EngineUnavailableError(message, reason=reason) from None


def _begun(work: Callable[[], Any]) -> "Future[Any]":
    """Run work on a thread that keeps no process alive: Ray waits without end for a cluster that is gone."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="ray join", daemon=True).start()
    return future


def _join(address: str, application: str) -> Any:
    """Join the cluster, unless this process has, and find the deployment."""
    require_ray()
    import ray
    from ray import serve

    if not ray.is_initialized():
        ray.init(address=address, configure_logging=False, log_to_driver=False)
    return serve.get_deployment_handle(DEPLOYMENT, app_name=application)


@contextmanager
def _explained(seconds: float) -> Iterator[None]:
    """Whatever Ray raises is one thing to us: no answer. Raises EngineUnavailableError."""
    try:
        yield
    except ModelError:
        raise
    except TimeoutError as error:
        raise EngineUnavailableError(f"none within {seconds:g} seconds (HEYAN_RAY_SECONDS)") from error
    except Exception as error:  # of the cluster, the connection, Serve or the deployment: unrelated types
        reason = (str(error).strip().splitlines() or [""])[0]
        raise EngineUnavailableError(type(error).__name__, reason=reason) from error
