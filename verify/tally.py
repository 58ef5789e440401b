"""Counts of how sessions ended, by hours: in the store, so that they survive a restart and are one for all replicas.

They tell true reasons and the signals that decided, and nothing of who it was. A count is made just after the outcome
is recorded; a process that dies in between leaves one out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass

from verify.casefile import Mode
from verify.connection import Script, text
from verify.decision import Decision, public_outcome
from verify.fraud import FraudSign
from verify.store import Store

HOUR_SECONDS = 3600
SLICE_SECONDS = 300
"""The last hour is counted in slices, so that it is no more than five minutes too long."""
KEPT_HOURS = 24 * 8
SIGN = "sign"
"""In place of an outcome: a sign of fraud, whatever came of it."""
NONE = "-"

COUNT = Script.of("""
for key = 1, #KEYS do
    for field = 3, #ARGV do
        redis.call('HINCRBY', KEYS[key], ARGV[field], 1)
    end
    redis.call('EXPIRE', KEYS[key], ARGV[key])
end
return 'done'
""")


@dataclass(frozen=True, slots=True)
class Ended:
    """One way in which a session can end. `reason` is the true one, `signal` the one that decided."""

    mode: Mode
    outcome: str
    """`accepted`, `retry`, `rejected`, `referred`; or `SIGN`: then `reason` is its name and `signal` what it does."""
    reason: str = NONE
    signal: str = NONE

    @classmethod
    def of(cls, mode: Mode, decision: Decision) -> "Ended":
        """How a decision ends a session."""
        reason, signal = getattr(decision, "reason", None), getattr(decision, "signal", None)
        return cls(mode, public_outcome(decision)[0], str(reason or NONE), signal or NONE)


Counts = Mapping[Ended, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts, and reads them again. Raises StoreUnavailable if the store does not answer; `now` is Unix seconds."""

    store: Store

    async def count(self, mode: Mode, decision: Decision, signs: Iterable[FraudSign], *, now: float) -> None:
        """Count a session that ended, and the signs of fraud that fired."""
        ended = (Ended.of(mode, decision), *(Ended(mode, SIGN, sign.name, sign.does) for sign in signs))
        names = [_hour(now), _slice(now)]
        expiry = (KEPT_HOURS * HOUR_SECONDS, 2 * HOUR_SECONDS)
        await self.store.run(COUNT, names, [*expiry, *("/".join(astuple(each)) for each in ended)])

    async def by_hour(self, hours: int, *, mode: Mode, now: float) -> tuple[Counts, ...]:
        """Whole hours, oldest first, and last the one that runs; at most `KEPT_HOURS`."""
        return await self._read([_hour(now - back * HOUR_SECONDS) for back in range(hours, -1, -1)], mode)

    async def last_hour(self, *, mode: Mode, now: float) -> Counts:
        """The last 60 to 65 minutes."""
        slices = HOUR_SECONDS // SLICE_SECONDS
        return summed(await self._read([_slice(now - back * SLICE_SECONDS) for back in range(slices + 1)], mode))

    async def _read(self, names: list[str], mode: Mode) -> tuple[Counts, ...]:
        found = await self.store.ask_each("HGETALL", names)
        return tuple(dict(_decoded(each, mode)) for each in found)


def summed(parts: Iterable[Counts]) -> Counts:
    """All of them together."""
    total = Counter[Ended]()
    for part in parts:
        total.update(part)
    return total


def _decoded(stored: Mapping[bytes, bytes], mode: Mode) -> Iterator[tuple[Ended, int]]:
    for field, count in stored.items():
        of, *rest = text(field).split("/")
        if of == mode:
            yield Ended(mode, *rest), int(count)


def _hour(at: float) -> str:
    return f"{{tally}}:hour:{int(at // HOUR_SECONDS)}"


def _slice(at: float) -> str:
    return f"{{tally}}:slice:{int(at // SLICE_SECONDS)}"
