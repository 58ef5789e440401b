"""One fault under load: what was told before, during and after must be what the store holds."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks.faults.catalogue import FAULTS, Scene
from benchmarks.faults.errands import Callers, Told
from benchmarks.faults.town import Town
from verify.audit import verify_chain
from verify.errors import VerifyError
from verify.store import Store

REPLICAS = 2
WARM_UP_SECONDS = 3.0
RECOVERY_SECONDS = 60.0
"""After so long without a redemption on each replica a service has not recovered."""
AFTER_SECONDS = 2.0
"""Callers go on for so long after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one fault."""

    fault: str
    redeemed: int
    """Tokens, by what callers were told; of live sessions, people who were accepted."""
    redeemed_twice: int
    wrong: tuple[str, ...]
    """What must never happen and did, in words."""
    lost: int
    """Cases and receipts that were acknowledged and are not in the store."""
    chains: int
    chains_broken: int
    answers: dict[str, int]
    """Of requests that were no success, by code."""
    recovery_seconds: float | None
    """From the mending until both replicas redeem again; None if one does not."""

    @property
    def holds(self) -> bool:
        """Whether everything came out as it must; a fault that nobody felt has shown nothing."""
        bad = self.redeemed_twice or self.wrong or self.lost or self.chains_broken
        felt = bool(self.answers) or (self.fault in FAULTS and not FAULTS[self.fault].felt)
        return not bad and felt and self.recovery_seconds is not None and self.redeemed > 0


async def run_fault(name: str, photo: bytes, *, callers: int) -> Outcome:
    """Start a town, let people use it, hurt it, mend it, wait until it has recovered, and look at what is there.

    Raises:
        ServiceError: a replica did not start, before anything was done to it or after it was mended.
    """
    with TemporaryDirectory(prefix="heyan-") as folder:
        async with FAULTS[name].place(Path(folder), replicas=REPLICAS) as place:
            people = Callers(place, photo)
            over = asyncio.Event()
            load = asyncio.create_task(people.run(each=callers, over=over))
            try:
                await asyncio.sleep(WARM_UP_SECONDS)
                await FAULTS[name].hurt(Scene(place, people.told))
                recovery = await _recovered(people.told, load)
                await asyncio.sleep(AFTER_SECONDS)
            finally:
                over.set()
                await load
            return await _outcome(name, place, people.told, recovery)


async def _recovered(told: Told, load: "asyncio.Task[None]") -> float | None:
    mended = monotonic()
    while monotonic() - mended < RECOVERY_SECONDS and not load.done():
        found = told.recovered(set(range(REPLICAS)), since=mended)
        if found is not None:
            return round(found, 2)
        await asyncio.sleep(0.05)
    return None


async def _outcome(name: str, place: Town, told: Told, recovery: float | None) -> Outcome:
    lost, broken = 0, 0
    for case in told.cases | set(told.receipts):
        missing, whole = await held(place.store, case, told.receipts.get(case, set()))
        lost += missing
        broken += not whole
    return Outcome(
        fault=name,
        redeemed=sum(told.redeemed.values()),
        redeemed_twice=sum(times > 1 for times in told.redeemed.values()),
        wrong=tuple(sorted(set(told.wrong))),
        lost=lost,
        chains=len(told.cases),
        chains_broken=broken,
        answers=dict(told.answers),
        recovery_seconds=recovery,
    )


async def held(store: Store, case: str, receipts: set[str]) -> tuple[int, bool]:
    """How much of what was told of a case is not there, and whether its chain is whole."""
    try:
        file, _ = await store.load(case)
    except VerifyError:
        return 1 + len(receipts), False
    entries = verify_chain(await store.audit(case), expected_head=file.head)
    return len(receipts - set(file.receipts)) + max(0, len(file.receipts) - 1), len(entries) == file.entries
