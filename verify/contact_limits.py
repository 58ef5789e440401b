"""How often one contact may be written to: nobody's phone is to be filled with messages by way of this service.

Counted are messages to one mailbox, from whichever client and case, apart for live and test mode. Notices of what was
done in somebody's name are not counted: they tell of fraud, and must not be held back by who fills the count first.
"""

from dataclasses import dataclass

from verify.casefile import Mode
from verify.connection import Script
from verify.contacts import Contact
from verify.errors import Limited
from verify.store import Store
from verify.vault import Vault

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_TAKE = Script.of("""
local now, wait = tonumber(ARGV[1]), 0
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[6]))
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then
    return '0'
end
local taken = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local count = #taken / 2
for limit = 3, 5, 2 do
    local most, window = tonumber(ARGV[limit]), tonumber(ARGV[limit + 1])
    if count >= most then
        wait = math.max(wait, tonumber(taken[2 * (count - most + 1)]) + window - now)
    end
end
if wait > 0 then
    return string.format('%d', wait)
end
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return '0'
""")
"""Gives for how long to wait (ms), or takes a place and gives 0: requests side by side are counted one by one. A place
that was taken before stays taken once."""

_GIVE_BACK = Script.of("redis.call('ZREM', KEYS[1], ARGV[1]) return 'done'")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLimits:
    """The counts. Every method raises StoreUnavailable; `now` is Unix seconds by the store's clock."""

    store: Store
    vault: Vault
    per_hour: int
    per_day: int

    async def take(self, contact: Contact, message_id: str, *, mode: Mode, now: float) -> None:
        """Take a place for a message. Raises Limited `contact_limited`; then nothing is taken."""
        limits = (self.per_hour, HOUR_MS, self.per_day, DAY_MS)
        key = [self._key(contact, mode)]
        left = int(await self.store.run(_TAKE, key, [int(now * 1000), message_id, *limits]))
        if left > 0:
            message = (
                f"a contact gets at most {self.per_hour} messages an hour and {self.per_day} a day: wait for "
                "Retry-After, or pass the link on yourself"
            )
            raise Limited("contact_limited", message, retry_after=left / 1000)

    async def give_back(self, contact: Contact, message_id: str, *, mode: Mode) -> None:
        """Give a place back whose message is not sent."""
        await self.store.run(_GIVE_BACK, [self._key(contact, mode)], [message_id])

    def _key(self, contact: Contact, mode: Mode) -> str:
        return f"contacts:{mode}:{self.vault.contact_hash(contact.channel, contact.mailbox)}"
