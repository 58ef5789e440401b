"""A token bucket a client, in this process: enough to keep one client's comparisons from crowding out live sessions."""

from dataclasses import dataclass

from api.errors import TooManyRequestsError

SECONDS_PER_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """Allows `per_minute` requests a minute for each key, in bursts up to that number."""

    def __init__(self, *, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / SECONDS_PER_MINUTE
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, key: str, *, now: float) -> None:
        """Take one request from the bucket of `key`; `now` is in monotonic seconds.

        Keys are ids of authenticated clients, so that their number is small.

        Raises:
            TooManyRequestsError: the bucket is empty; says when it holds a request again.
        """
        bucket = self._buckets.setdefault(key, _Bucket(self._capacity, now))
        bucket.tokens = min(self._capacity, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens < 1:
            raise TooManyRequestsError(retry_after=(1 - bucket.tokens) / self._per_second)
        bucket.tokens -= 1
