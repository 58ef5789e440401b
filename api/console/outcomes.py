"""Rows of the pages about outcomes and signals, from what was tallied."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verify.tally import NONE, SIGN, Counts, Ended, summed

OUTCOMES = ("accepted", "retry", "rejected", "referred")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """Sessions that ended one way for one reason, whatever signal decided."""

    outcome: str
    reason: str
    hour: int
    day: int
    share: float
    """Of the day's sessions, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRow:
    """How often one signal decided, or one sign of fraud fired."""

    kind: str
    """`rejected`, `referred`, or `SIGN`."""
    reason: str
    signal: str
    day: int
    week: int
    hours: tuple[int, ...]
    """Of the last day, oldest first."""


def outcome_sums(counts: Counts) -> dict[str, int]:
    """Sessions by outcome."""
    return {outcome: sum(count for ended, count in counts.items() if ended.outcome == outcome) for outcome in OUTCOMES}


def outcome_rows(hour: Counts, hours: Sequence[Counts]) -> tuple[OutcomeRow, ...]:
    """One row for each outcome and reason that there was in the last day, in a fixed order."""
    last, day = _by_reason(hour), _by_reason(summed(hours))
    whole = sum(day.values())
    return tuple(
        OutcomeRow(outcome=outcome, reason=reason, hour=last.get((outcome, reason), 0), day=count, share=count / whole)
        for (outcome, reason), count in sorted(
            day.items(), key=lambda row: (OUTCOMES.index(row[0][0]), -row[1], row[0])
        )
    )


def signal_rows(hours: Sequence[Counts], *, day_hours: int) -> tuple[SignalRow, ...]:
    """One row for each signal that decided, and each sign of fraud that fired, the most frequent first."""
    week, day = summed(hours), hours[-day_hours - 1 :]
    rows = (
        SignalRow(
            kind=ended.outcome,
            reason=ended.reason,
            signal=ended.signal,
            day=sum(each.get(ended, 0) for each in day),
            week=count,
            hours=tuple(each.get(ended, 0) for each in day),
        )
        for ended, count in week.items()
        if ended.signal != NONE
    )
    return tuple(sorted(rows, key=lambda row: (row.kind == SIGN, -row.day, -row.week, row.reason, row.signal)))


def _by_reason(counts: Counts) -> dict[tuple[str, str], int]:
    found = dict[tuple[str, str], int]()
    for ended, count in _sessions(counts):
        place = (ended.outcome, ended.reason)
        found[place] = found.get(place, 0) + count
    return found


def _sessions(counts: Counts) -> Iterable[tuple[Ended, int]]:
    return ((ended, count) for ended, count in counts.items() if ended.outcome in OUTCOMES)
