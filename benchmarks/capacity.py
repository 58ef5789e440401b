"""From what one verification takes to what a town needs: people, days and a busy hour in; cores, network and store out.

Arrivals of a busy hour are taken as even: live sessions at once by Little's law (arrivals a second times seconds each).
Cores are filled to `LOAD` and no further, for arrivals are not even, and one machine may be away.
"""

from dataclasses import dataclass
from math import ceil

from benchmarks.load.costs import Costs

LOAD = 0.7
"""Share of the cores that a busy hour may use."""
SPARE = 1
"""Machines that may be away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who comes, and when."""

    name: str
    people: int
    """Verifications in all."""
    days: int
    """On which they come."""
    busiest_day: float
    """Over the mean day."""
    busiest_hour: float
    """Share of a day's people."""

    @property
    def peak(self) -> float:
        """Verifications in the busiest hour of the busiest day."""
        return self.people / self.days * self.busiest_day * self.busiest_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What that takes."""

    an_hour: float
    live_at_once: float
    cores: float
    machines: int
    """Of so many cores each, one of them to spare."""
    up_mbit: float
    """Megabits a second from all phones, in the busiest hour."""
    store_gib: float
    """Memory, if nobody's case is erased before the end."""
    log_gib_a_day: float
    """That the store writes on the busiest day."""


TOWNS = (
    Demand(name="a district: 20,000 people in three months", people=20_000, days=65, busiest_day=2, busiest_hour=0.2),
    Demand(name="a city: a million people a year", people=1_000_000, days=250, busiest_day=2, busiest_hour=0.15),
    Demand(name="23 million users, once a year each", people=23_000_000, days=365, busiest_day=3, busiest_hour=0.12),
)
"""The first is Pudong's of 2020. Days and shares are assumptions: put your own in their place."""


def need(demand: Demand, costs: Costs, *, cores_a_machine: int) -> Need:
    """What a demand takes, where one verification takes `costs`."""
    a_second = demand.peak / 3600
    cores = a_second * costs.cpu_s / LOAD
    a_day = demand.people / demand.days * demand.busiest_day
    return Need(
        an_hour=demand.peak,
        live_at_once=a_second * costs.session_seconds,
        cores=cores,
        machines=ceil(cores / cores_a_machine) + SPARE,
        up_mbit=a_second * costs.up_bytes * 8 / 1e6,
        store_gib=demand.people * costs.store_bytes / 2**30,
        log_gib_a_day=a_day * costs.log_bytes / 2**30,
    )
