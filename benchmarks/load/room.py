"""A room full of phones: each verifies one person after the other, for a time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from time import monotonic, process_time

import httpx

from benchmarks.load.gauges import bucket_quantile, quantile, read_metrics, since, tree_cpu_seconds
from benchmarks.load.player import SESSIONS
from benchmarks.load.reels import Reel
from benchmarks.load.visit import Visit, visit
from benchmarks.service import Service
from verify.policy import load_policy

ANSWER_SECONDS = 60.0
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

Milliseconds = dict[str, float | None]
"""By percentile; None where nothing was measured."""


class PicturesUsedUpError(Exception):
    """`pictures_used_up`: further sessions would show pictures that were shown before, and be refused as replays."""

    def __init__(self, people: int) -> None:
        super().__init__(
            f"{people} people make {people * SESSIONS} sessions that differ, and all were played: render more --people,"
            " or let fewer --phones come, or for fewer --seconds"
        )
        self.code = "pictures_used_up"


def enough_people(phones: int) -> int:
    """How many it takes so that the service has forgotten the frames of a session by the time when its pictures come
    again, with so many phones at once."""
    return ceil((load_policy().fraud.frames_most + phones) / SESSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One number of phones, for a time."""

    phones: int
    seconds: float
    """From the first phone to the last result."""
    frames_per_s: float
    """Analysed, while all phones were at it."""
    superseded_share: float
    """Of the frames that came: dropped for a newer one."""
    frame_ms: Milliseconds
    """From a frame's arrival to its answer, by the service's own histogram."""
    decision_ms: Milliseconds
    """From the end of the last cue to the result, which leaves on a grid; as the phone sees it."""
    outcomes: dict[str, int]
    refused_503: int
    accepted_lost: int
    """Sessions that were opened and came to no result."""
    cpu_s_per_verification: float | None
    """Of the service and its store, all in all, for each session that was accepted."""
    verifications_per_hour: int
    load_cpu_share: float
    """Of one core, that the phones themselves took."""


@dataclass(slots=True)
class Room:
    """Phones on one service. Each visit has a number of its own, so that none looks like another; rooms whose services
    share a store share the numbers as well."""

    service: Service
    reels: Sequence[Reel]
    numbers: Iterator[int] = field(default_factory=count)

    async def run(self, phones: int, *, seconds: float, advance: Callable[[], object]) -> Figures:
        """So many phones begin visits for so many seconds, and end those; `advance` after each visit.

        Raises:
            PicturesUsedUpError: too many visits for so few people.
            httpx.HTTPError: the service refused otherwise than with 503.
        """
        headers = {"Authorization": f"Bearer {self.service.api_key}"}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=self.service.url, headers=headers, timeout=ANSWER_SECONDS, limits=limits
        ) as http:
            started, own, theirs = monotonic(), process_time(), tree_cpu_seconds(self.service.process.pid)
            before = await read_metrics(http, at=started)
            until = started + seconds
            visits = asyncio.gather(*(self._phone(http, until, advance, phones=phones) for _ in range(phones)))
            await asyncio.wait({visits}, timeout=seconds)
            after = await read_metrics(http, at=monotonic())
            ended = [each for own_visits in await visits for each in own_visits]
            took = monotonic() - started
            cpu = tree_cpu_seconds(self.service.process.pid) - theirs
        outcomes = Counter(each.outcome for each in ended if each.opened)
        analysed, superseded = after.analysed - before.analysed, after.superseded - before.superseded
        buckets = since(before, after)
        decisions = [each.decision_seconds for each in ended if each.decision_seconds is not None]
        return Figures(
            phones=phones,
            seconds=round(took, 1),
            frames_per_s=round(analysed / (after.at - before.at), 1),
            superseded_share=round(superseded / max(analysed + superseded, 1), 3),
            frame_ms={name: _ms(bucket_quantile(buckets, share)) for name, share in PERCENTILES.items()},
            decision_ms={name: _ms(quantile(decisions, share)) for name, share in PERCENTILES.items()},
            outcomes=dict(outcomes),
            refused_503=sum(each.refused for each in ended),
            accepted_lost=sum(each.lost for each in ended),
            cpu_s_per_verification=round(cpu / outcomes["accepted"], 3) if outcomes["accepted"] else None,
            verifications_per_hour=round(_per_hour(ended, phones)),
            load_cpu_share=round((process_time() - own) / took, 3),
        )

    async def _phone(
        self, http: httpx.AsyncClient, until: float, advance: Callable[[], object], *, phones: int
    ) -> list[Visit]:
        visits: list[Visit] = []
        while monotonic() < until:
            number = next(self.numbers)
            cut, place = divmod(number, len(self.reels))
            if cut >= SESSIONS and len(self.reels) < enough_people(phones):
                raise PicturesUsedUpError(len(self.reels))
            visits.append(await visit(http, self.reels[place], number=number, cut=cut, until=until))
            advance()
            if not visits[-1].opened:  # told to come again when the time will be up: more cases would only be load
                break
        return visits


def _per_hour(visits: Sequence[Visit], phones: int) -> float:
    """Verifications by Little's law: phones that are served, over how long each takes, times the share accepted.

    The beginning and the end of a run, when not all phones are at it, do not count so.
    """
    opened = [each for each in visits if each.opened]
    if not opened:
        return 0.0
    served = phones * len(opened) / len(visits)
    accepted = sum(each.outcome == "accepted" for each in opened)
    return 3600 * served * accepted / sum(each.seconds for each in opened)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
