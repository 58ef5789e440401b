import pytest

from api.errors import TooManyRequestsError
from api.rate_limit import RateLimit


def test_a_burst_empties_the_bucket_and_time_fills_it() -> None:
    limit = RateLimit(per_minute=2)
    limit.spend("a", now=0.0)
    limit.spend("a", now=0.0)
    with pytest.raises(TooManyRequestsError) as caught:
        limit.spend("a", now=0.0)
    assert caught.value.retry_after == pytest.approx(30.0)
    limit.spend("a", now=30.0)


def test_clients_do_not_share_a_bucket() -> None:
    limit = RateLimit(per_minute=1)
    limit.spend("a", now=0.0)
    limit.spend("b", now=0.0)
