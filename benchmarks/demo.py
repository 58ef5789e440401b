"""`heyan-bench demo`: the main job end to end, on a real service with live keys, and every refusal beside it.

Nothing here is a short cut: the service is a process of its own, requests go over HTTP and WebSocket on loopback, and
each simulated phone renders its frames while it follows the cues.
"""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cv2
import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from websockets.asyncio.client import connect

from benchmarks.attacks.catalogue import SPECIES, Crime, Likeness
from benchmarks.phone.casting import living
from benchmarks.phone.online import PROTOCOL, Attempt, Ended, Phone
from benchmarks.phone.person import Actor
from benchmarks.photos import PersonPhotos
from benchmarks.registration import Filing, Registrant, Registration
from benchmarks.service import Service, running_service
from models.engine import Engine
from models.packs import default_pack
from models.prepare import default_data_dir

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays: two people who verify, and somebody else's photo."""

    first: PersonPhotos
    second: PersonPhotos
    impostor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: what was tried, what must come of it, what did."""

    tried: str
    expected: str
    seen: str

    @property
    def holds(self) -> bool:
        """Whether it came out as it must."""
        return self.seen == self.expected


@dataclass(frozen=True, slots=True)
class Stage:
    """What every scene needs."""

    service: Service
    engine: Engine
    desk: Registration
    rng: Random

    def phone(self, actor: Actor) -> Phone:
        """A phone on the service's network."""
        return Phone(http=self.desk.http, actor=actor, rng=self.rng)


async def play(cast: Cast, service: Service, engine: Engine, *, rng: Random) -> tuple[Line, ...]:
    """All scenes; each line says whether it came out as it must.

    Raises:
        httpx.HTTPError: the service refused what the main job needs.
    """
    headers = {"Authorization": f"Bearer {service.api_key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=ANSWER_SECONDS) as http:
        stage = Stage(service, engine, Registration(http), rng)
        main, attacks = await asyncio.gather(_main_job(stage, cast), _attacks(stage, cast))
        return (*main, *attacks)


async def _main_job(stage: Stage, cast: Cast) -> tuple[Line, ...]:
    """Two people verify side by side; their tokens are redeemed, and misused."""
    filing = await stage.desk.open(_registrant(cast.first, 1), _registrant(cast.second, 2))
    first, second = filing.subjects
    (one, twice), other = await asyncio.gather(
        _verify_twice_claimed(stage, filing, first, _live(stage, cast.first)),
        _verify(stage, filing, second, _live(stage, cast.second)),
    )
    verified = (
        Line(tried=f"{_who(cast.first)} verifies", expected="accepted", seen=one.outcome),
        Line(tried=f"{_who(cast.second)} verifies", expected="accepted", seen=other.outcome),
        Line(tried="the same session is claimed again", expected="session_already_claimed", seen=twice.outcome),
    )
    if not all(line.holds for line in verified):
        return verified
    return (*verified, *await _redemptions(stage, filing))


async def _redemptions(stage: Stage, filing: Filing) -> tuple[Line, ...]:
    """What the registration flow does with the tokens, right and wrong."""
    desk, (first, second) = stage.desk, filing.subjects
    token, other_token = await desk.mint(filing, first), await desk.mint(filing, second)
    return (
        await _redeemed("a token is redeemed for another action", "restated_field_mismatch",
                        desk.redeem(filing, first, token, action="company.cancel")),
        await _redeemed("the first person's token is redeemed", "200", desk.redeem(filing, first, token)),
        await _redeemed("the same token is redeemed again", "token_already_redeemed",
                        desk.redeem(filing, first, token)),
        await _redeemed("the second person's token is redeemed", "200", desk.redeem(filing, second, other_token)),
        Line(tried="the case afterwards", expected="completed", seen=(await desk.state(filing))["state"]),
    )  # fmt: skip


async def _attacks(stage: Stage, cast: Cast) -> tuple[Line, ...]:
    """An impostor, and a photo of the right person held before the camera."""
    filing = await stage.desk.open(_registrant(cast.first, 3), _registrant(cast.second, 4))
    first, second = filing.subjects
    impostor = living(cast.impostor, engine=stage.engine, rng=stage.rng)
    likeness = Likeness.of(cast.second.photos[0], stage.engine)
    photo = SPECIES["printed_photo_flat"].stage(Crime(victim=likeness, attacker=likeness, rng=stage.rng))
    other, flat = await asyncio.gather(_verify(stage, filing, first, impostor), _verify(stage, filing, second, photo))
    standings = {subject["state"] for subject in (await stage.desk.state(filing))["subjects"]}
    return (
        Line(tried="an impostor: another face, all cues followed", expected="rejected", seen=other.outcome),
        Line(tried="the ID photo itself, held flat and turned", expected="rejected", seen=flat.outcome),
        Line(tried="whom the attacks verified", expected="pending", seen=" ".join(sorted(standings))),
    )


async def _verify(stage: Stage, filing: Filing, subject: str, actor: Actor) -> Ended:
    """From invite to the last attempt's end."""
    phone = stage.phone(actor)
    grant = await phone.agree(await stage.desk.invite(filing, subject))
    return (await phone.verify(grant))[-1]


async def _verify_twice_claimed(stage: Stage, filing: Filing, subject: str, actor: Actor) -> tuple[Ended, Ended]:
    """One session, claimed a second time while it runs. Returns how the session and the second claim ended."""
    phone = stage.phone(actor)
    grant = await phone.agree(await stage.desk.invite(filing, subject))
    attempt = await phone.open(grant)
    own, again = await asyncio.gather(phone.attempt(attempt), _claim_later(attempt))
    if own.outcome == "retry":
        own = (await phone.verify(grant))[-1]
    return own, again


async def _claim_later(attempt: Attempt) -> Ended:
    await asyncio.sleep(2.0)
    async with connect(attempt.stream, subprotocols=[PROTOCOL]) as socket:
        await socket.send(json.dumps({"type": "claim", "secret": attempt.secret}))
        return Ended(message=json.loads(await socket.recv()), seconds=0.0)


async def _redeemed(tried: str, expected: str, answer: Awaitable[httpx.Response]) -> Line:
    response = await answer
    seen = str(response.status_code) if response.is_success else str(response.json()["code"])
    return Line(tried=tried, expected=expected, seen=seen)


def _live(stage: Stage, person: PersonPhotos) -> Actor:
    """The person as they look on another photo than the reference, if there is one."""
    return living(person.photos[-1], engine=stage.engine, rng=stage.rng)


def _registrant(person: PersonPhotos, number: int) -> Registrant:
    role = "shareholder" if number % 2 else "legal_representative"
    return Registrant(name=person.name, role=role, id_number=f"E{number:08d}", photo=person.photos[0])


def _who(person: PersonPhotos) -> str:
    photos = "two different photos" if len(person.photos) > 1 else "one photo as reference and as live face"
    return f"{person.name} ({photos})"


def show(lines: tuple[Line, ...], console: Console) -> None:
    """The table."""
    table = Table(title="heyan: the main job, end to end")
    table.add_column("what was tried")
    for heading in ("must come out as", "came out as", ""):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        mark = "[green]ok" if line.holds else "[red]WRONG"
        table.add_row(line.tried, line.expected, line.seen, mark)
    console.print(table)


def run(cast: Cast, *, seed: int, console: Console) -> bool:
    """Start a service, play everything, show the table. True if every line holds."""
    cv2.setNumThreads(1)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with TemporaryDirectory(prefix="heyan-demo-") as folder, Progress(*columns, console=console) as progress:
        progress.add_task("a service, four phones, every refusal")
        engine = Engine.open(data_dir=default_data_dir(), pack=default_pack())
        with running_service(Path(folder) / "data", pack=default_pack()) as service:
            lines = asyncio.run(play(cast, service, engine, rng=Random(seed)))
    show(lines, console)
    return all(line.holds for line in lines)
