"""A few attempts of each species over the network, in real time: whether the simulated clock tells the truth.

The same actors before the same camera, but a service of its own process, HTTP and WebSocket on loopback, and cues that
the service draws. Decisions cannot be seen from outside, so what is compared is whether an attempt was accepted.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx

from benchmarks.phone.online import Phone
from benchmarks.registration import Registrant, Registration
from benchmarks.service import running_service
from benchmarks.trials import Trial, actor_of, camera_of
from models.engine import Engine

AT_ONCE = 2
"""Attempts side by side: rendering a face eight times a second and judging it takes half a core."""
ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What came of a trial in real time: `accepted`, `retry`, `rejected`, `referred`, or the code of a problem."""

    trial: Trial
    outcome: str


def run_in_real_time(
    trials: Sequence[Trial], *, engine: Engine, advance: Callable[[], object]
) -> tuple[Witnessed, ...]:
    """One attempt for each trial on a service that is started for them; `advance` after each.

    Raises:
        httpx.HTTPError: the service refused to open a case or a session.
        ServiceError: the service did not start.
    """
    with TemporaryDirectory(prefix="heyan-range-") as folder, running_service(Path(folder) / "data") as service:
        return asyncio.run(_all(trials, service.url, service.api_key, engine, advance))


async def _all(
    trials: Sequence[Trial], url: str, api_key: str, engine: Engine, advance: Callable[[], object]
) -> tuple[Witnessed, ...]:
    headers = {"Authorization": f"Bearer {api_key}"}
    found: list[Witnessed] = []
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_SECONDS) as http:
        waiting = iter(enumerate(trials, 1))

        async def work(queue: Iterator[tuple[int, Trial]]) -> None:
            for number, trial in queue:
                found.append(Witnessed(trial, await _attempt(trial, number, http, engine)))
                advance()

        await asyncio.gather(*(work(waiting) for _ in range(AT_ONCE)))
    return tuple(found)


async def _attempt(trial: Trial, number: int, http: httpx.AsyncClient, engine: Engine) -> str:
    """A case of its own, an invite, one session."""
    photo, rng, desk = trial.photo.read_bytes(), Random(trial.seed), Registration(http)
    person = Registrant(name=f"Person {number}", role="shareholder", id_number=f"E{number:08d}", photo=photo)
    filing = await desk.open(person)
    actor = actor_of(trial, photo, engine, rng)
    phone = Phone(http=http, actor=actor, rng=rng, camera=camera_of(trial))
    grant = await phone.agree(await desk.invite(filing, filing.subjects[0]))
    return (await phone.attempt(await phone.open(grant))).outcome
