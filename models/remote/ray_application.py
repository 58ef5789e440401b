"""The application of Ray Serve: `models.remote.ray_application:build` in its configuration (deploy/ray/serve.yaml)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ray import serve

from models.remote.network import Answer, Pictures
from models.remote.ray_client import DEPLOYMENT
from models.remote.serving import Served, ServingOptions, read_options

ONGOING = 64
"""Requests that a replica takes before they wait at the nodes, unless its configuration says otherwise."""


class Networks:
    """The networks of one pack on one replica. Requests that come at about the same time run together."""

    def __init__(self, options: ServingOptions) -> None:
        self._served = Served.open(options)
        for batched in (self._detect, self._embed, self._attacks):
            batched.set_max_batch_size(options.batch)
            batched.set_batch_wait_timeout_s(options.batch_wait_seconds)

    async def describe(self) -> Any:
        """As `models.remote.network.Farm.describe`."""
        return self._served.describe()

    async def detection(self, pictures: Pictures) -> Answer:
        """The detector's answer."""
        answer: Answer = await self._detect(pictures)
        return answer

    async def embedding(self, pictures: Pictures) -> Answer:
        """The embedder's answer."""
        answer: Answer = await self._embed(pictures)
        return answer

    async def attack_detection(self, pictures: Pictures) -> Answer:
        """The attack detector's answer."""
        answer: Answer = await self._attacks(pictures)
        return answer

    @serve.batch
    async def _detect(self, requests: list[Pictures]) -> list[Answer]:
        return await asyncio.to_thread(self._served.answer, "detection", requests)

    @serve.batch
    async def _embed(self, requests: list[Pictures]) -> list[Answer]:
        return await asyncio.to_thread(self._served.answer, "embedding", requests)

    @serve.batch
    async def _attacks(self, requests: list[Pictures]) -> list[Answer]:
        return await asyncio.to_thread(self._served.answer, "attack_detection", requests)


def build(arguments: Mapping[str, Any]) -> Any:
    """The application, with the `args` of its configuration. Raises ModelError as `read_options`."""
    return serve.deployment(Networks, name=DEPLOYMENT, max_ongoing_requests=ONGOING).bind(read_options(arguments))
