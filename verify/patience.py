"""Attempts that came to nothing delay the next ones: for a person across all links and cases, and for a device.

Nobody is locked out for good: a delay grows up to an hour and is forgotten after a day, and the window is always
another way. A person's counter counts attempts that were begun, and is cleared when one is accepted. A device's counts
rejections and is not, as whoever tries on other people's names can always verify themselves in between.
"""

from dataclasses import dataclass

from verify.connection import Script
from verify.errors import Limited
from verify.store import Store

FREE_ATTEMPTS = 5
FIRST_DELAY_SECONDS = 30.0
LONGEST_DELAY_SECONDS = 3600.0
FORGOTTEN_SECONDS = 86400
MOST_DOUBLINGS = 10
"""More than lead to the longest delay."""

COUNT = Script.of("""
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
redis.call('HSET', KEYS[1], 'last', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return tostring(count)
""")
TAKE = Script.of("""
local found = redis.call('HMGET', KEYS[1], 'count', 'last')
local count, last, now = tonumber(found[1] or '0'), tonumber(found[2] or '0'), tonumber(ARGV[1])
local free, first, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if count >= free then
  local left = last + math.min(first * 2 ^ (count - free), longest) - now
  if left > 0 then return tostring(left) end
end
redis.call('HSET', KEYS[1], 'count', string.format('%d', count + 1), 'last', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return '0'
""")
"""Gives how long to wait, or counts an attempt and gives 0: attempts side by side are counted one by one."""
FORGET = Script.of("redis.call('DEL', KEYS[1]) return 'done'")


def delay_after(count: int) -> float:
    """Seconds to wait after so many attempts that came to nothing."""
    if count < FREE_ATTEMPTS:
        return 0.0
    doublings = min(count - FREE_ATTEMPTS, MOST_DOUBLINGS)
    return min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Patience:
    """The counters. Every method raises StoreUnavailable if the store does not answer; `now` is Unix seconds."""

    store: Store

    async def begin(self, person: str, *, now: float) -> None:
        """Count an attempt of a person (`Subject.person`). Raises Limited `attempts_too_fast`; then nothing counts."""
        limits = (FORGOTTEN_SECONDS, FREE_ATTEMPTS, str(FIRST_DELAY_SECONDS), str(LONGEST_DELAY_SECONDS))
        left = float(await self.store.run(TAKE, [_person(person)], [repr(now), *limits]))
        if left > 0:
            raise _too_fast(left)

    async def check_device(self, device: str, *, now: float) -> None:
        """Whether a device may try again. Raises Limited `attempts_too_fast`."""
        count, last = await self.store.ask("HMGET", _device(device), "count", "last")
        left = float(last or 0) + delay_after(int(count or 0)) - now
        if left > 0:
            raise _too_fast(left)

    async def rejected(self, device: str, *, now: float) -> None:
        """Count a rejection on a device."""
        await self.store.run(COUNT, [_device(device)], [repr(now), FORGOTTEN_SECONDS])

    async def accepted(self, person: str) -> None:
        """Forget a person's attempts: they were there."""
        await self.store.run(FORGET, [_person(person)], [])


def _person(person: str) -> str:
    return f"patience:person:{person}"


def _device(device: str) -> str:
    return f"patience:device:{device}"


def _too_fast(left: float) -> Limited:
    message = "several attempts came to nothing: wait for Retry-After, or go to the window"
    return Limited("attempts_too_fast", message, retry_after=left)
