"""Whose turn it is: round robin by party, however much each of them has waiting."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Tickets that wait for a turn, by party.

    While a party waits, every other one gets one turn at the most: a phone that sends more, or a batch of photos, makes
    nobody else wait longer.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[T]] = {}

    def __len__(self) -> int:
        """Tickets that wait."""
        return sum(map(len, self._waiting.values()))

    def join(self, party: Hashable, ticket: T) -> None:
        """Wait for a turn: at the end of the round, or behind the party's own earlier tickets."""
        self._waiting.setdefault(party, deque()).append(ticket)

    def next(self) -> T | None:
        """The ticket whose turn it is, or None if nobody waits. Its party goes to the end of the round."""
        party = next(iter(self._waiting), None)
        if party is None:
            return None
        tickets = self._waiting.pop(party)
        ticket = tickets.popleft()
        if tickets:
            self._waiting[party] = tickets
        return ticket
