"""A deployment in this process: the networks of an engine behind Ray Serve's interface, and its faults."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from models.remote.network import Answer, Pictures, Task
from models.remote.ray_client import RayFarm
from models.remote.serving import Served


@dataclass
class Response:
    """As Ray Serve's: what comes of a call, for whoever waits long enough."""

    outcome: Callable[[], Any]
    answers_after: float
    cancelled: bool = False

    def result(self, *, timeout_s: float) -> Any:
        if self.answers_after > timeout_s:
            raise TimeoutError
        return self.outcome()

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Method:
    handle: "HandleDouble"
    outcome: Callable[..., Any]

    def remote(self, *arguments: Any) -> Response:
        response = Response(lambda: self.outcome(*arguments), self.handle.answers_after)
        self.handle.responses.append(response)
        return response


@dataclass
class HandleDouble:
    """`ray.serve.handle.DeploymentHandle` as far as it is used."""

    served: Served
    answers_after: float = 0.0
    """Seconds that each call would take."""
    dead: Exception | None = None
    """What each call ends with, if the cluster is gone."""
    spoil: Callable[[Task, Answer], Answer] = lambda _, answer: answer
    responses: list[Response] = field(default_factory=list)

    def __getattr__(self, name: str) -> Method:
        if name == "describe":
            return Method(self, self._describe)
        return Method(self, lambda pictures: self._run(name, pictures))

    def _describe(self) -> Any:
        if self.dead is not None:
            raise self.dead
        return self.served.describe()

    def _run(self, task: Any, pictures: Pictures) -> Answer:
        if self.dead is not None:
            raise self.dead
        return self.spoil(task, self.served.answer(task, [pictures])[0])


def farm_of(handle: HandleDouble) -> RayFarm:
    """The way to it, as if a cluster were joined; answers are waited for two seconds."""
    farm = RayFarm("auto", application="heyan", seconds=2.0)
    farm._handle = Future()
    farm._handle.set_result(handle)
    return farm
