"""One of two replicas is killed under live sessions: the other's go on, its own end and may begin again."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic

import httpx

from benchmarks.faults.town import Town, town
from benchmarks.faults.trial import REPLICAS, Outcome, held
from benchmarks.load.player import Player
from benchmarks.load.reels import Reel
from benchmarks.load.visit import LONGEST_SECONDS, Entered, Visit, attempted, entered
from verify.casefile import VerificationState

NAME = "live_replica_killed"
WHAT = "one of two replicas is killed under twelve live sessions, six on each"
PHONES = 12
ANSWER_SECONDS = 30.0
UNDER_WAY_SECONDS = 6.0
"""From the first session's opening to the kill: everybody is in the middle of their cues."""
LEAST_SHARE = 0.5
"""Of the people, who must be accepted in the end: a simulated person may fail a cue, as people do."""


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody with a phone, on one replica."""

    entered: Entered
    reel: Reel
    home: int


@dataclass(slots=True)
class _Seen:
    """What people were told."""

    killed_at: float = 0.0
    wrong: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    """How the sessions of the dead replica ended for their phones."""
    accepted: dict[str, bool] = field(default_factory=dict)
    """By case."""
    again_seconds: list[float] = field(default_factory=list)
    """From the kill until somebody was in a session again."""
    cuts: Iterator[int] = field(default_factory=count)


async def run_live_fault(reels: Sequence[Reel]) -> Outcome:
    """Twelve people verify, six on each replica; the first replica is killed in the middle and stays dead.

    Raises:
        ServiceError: a replica did not start.
        httpx.HTTPError: the service refused something else than a session.
    """
    with TemporaryDirectory(prefix="heyan-") as folder:
        async with town(Path(folder), replicas=REPLICAS) as place, AsyncExitStack() as stack:
            headers = {"Authorization": f"Bearer {place.live_key}"}
            http = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=each.url or "", headers=headers, timeout=ANSWER_SECONDS)
                )
                for each in place.replicas
            ]
            people = [await _person(http, reels, number) for number in range(PHONES)]
            seen = _Seen(accepted=dict.fromkeys((each.entered.filing.id for each in people), False))
            verifying = asyncio.gather(*(_verify(each, http, seen) for each in people))
            await asyncio.sleep(UNDER_WAY_SECONDS)
            seen.killed_at = monotonic()
            await place.replicas[0].kill()
            await verifying
            return await _outcome(place, seen)


async def _person(http: Sequence[httpx.AsyncClient], reels: Sequence[Reel], number: int) -> _Person:
    home, reel = number % REPLICAS, reels[number % len(reels)]
    return _Person(await entered(http[home], reel.photo, number=number), reel, home)


async def _verify(person: _Person, http: Sequence[httpx.AsyncClient], seen: _Seen) -> None:
    """A session; and another one, on the replica that lives, for whom the first broke off."""
    found = await _session(person, seen)
    if found.lost:
        seen.lost[found.outcome] += 1
        if person.home != 0 or not seen.killed_at:
            seen.wrong.append("a session of the replica that lives was lost")
        person.entered.phone.http = http[1]
        found = await _session(person, seen)
        seen.again_seconds.append(monotonic() - found.seconds - seen.killed_at)
        if found.lost or not found.opened:
            seen.wrong.append(f"somebody whose replica died could not begin again: {found.outcome}")
    seen.accepted[person.entered.filing.id] = found.outcome == "accepted"


async def _session(person: _Person, seen: _Seen) -> Visit:
    cut, found = next(seen.cuts), Visit()
    started = monotonic()
    player = Player(person.reel, number=cut, rng=Random(cut))
    waited = await attempted(person.entered, player, found, until=started + LONGEST_SECONDS)
    found.seconds = monotonic() - started - waited
    return found


async def _outcome(place: Town, seen: _Seen) -> Outcome:
    """What people were told, against what the store holds: each who was accepted is verified once, nobody else is."""
    lost, broken, doubled = 0, 0, 0
    for case, accepted in seen.accepted.items():
        missing, whole = await held(place.store, case, set())
        file, _ = await place.store.load(case)
        active = sum(each.state is VerificationState.ACTIVE for each in file.verifications.values())
        doubled += active > 1
        lost += missing + (accepted and not active)
        broken += not whole
        if active and not accepted:
            seen.wrong.append("somebody is verified who was not told so")
    accepted_in_the_end = sum(seen.accepted.values())
    if accepted_in_the_end < LEAST_SHARE * PHONES:
        seen.wrong.append(f"only {accepted_in_the_end} of {PHONES} people were accepted in the end")
    return Outcome(
        fault=NAME,
        redeemed=accepted_in_the_end,
        redeemed_twice=doubled,
        wrong=tuple(sorted(set(seen.wrong))),
        lost=lost,
        chains=len(seen.accepted),
        chains_broken=broken,
        answers=dict(seen.lost),
        recovery_seconds=round(max(seen.again_seconds), 2) if seen.again_seconds else None,
    )
