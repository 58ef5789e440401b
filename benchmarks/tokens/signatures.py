"""What signatures take in the midst of a redemption, where nothing is warm.

The same calls in a loop of their own take less: then nothing else wants the processor's caches.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from time import perf_counter
from typing import ParamSpec, TypeVar
from unittest.mock import patch

from verify import redemption, tokens
from verify.jose import sign, verify

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Spent:
    """Time spent in some functions, which neither wait for anything nor call each other."""

    milliseconds: float = 0.0

    def timing(self, function: Callable[P, T]) -> Callable[P, T]:
        """The same function, whose time is added."""

        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            started = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.milliseconds += 1000 * (perf_counter() - started)

        return timed


@contextmanager
def timed_signatures() -> Iterator[Spent]:
    """What redemptions of this process spend meanwhile on verifying tokens and signing receipts."""
    spent = Spent()
    with (
        patch.object(tokens, "verify", spent.timing(verify)),
        patch.object(redemption, "sign", spent.timing(sign)),
    ):
        yield spent
