from hypothesis import given
from hypothesis import strategies as st

from api.turns import Turns

PARTIES = st.sampled_from("abcd")
STEPS = st.lists(st.one_of(PARTIES, st.none()), max_size=80)
"""A party that wants a turn, or None: a turn is given."""


def test_a_party_with_much_to_do_waits_behind_one_that_has_little() -> None:
    turns: Turns[str] = Turns()
    for ticket in ("a1", "a2", "a3", "b1"):
        turns.join(ticket[0], ticket)
    assert [turns.next() for _ in range(5)] == ["a1", "b1", "a2", "a3", None]


@given(STEPS)
def test_while_a_party_waits_every_other_has_one_turn_at_the_most(steps: list[str | None]) -> None:
    turns: Turns[str] = Turns()
    since: dict[str, list[str]] = {}
    waiting: list[str] = []
    for step in steps:
        if step is not None:
            turns.join(step, step)
            waiting.append(step)
            since.setdefault(step, [])
            continue
        served = turns.next()
        assert (served is None) == (not waiting)
        if served is None:
            continue
        waiting.remove(served)
        del since[served]
        for others in since.values():
            assert served not in others
            others.append(served)
        if served in waiting:
            since[served] = []


@given(STEPS)
def test_every_ticket_gets_its_turn_once_and_in_its_partys_order(steps: list[str | None]) -> None:
    turns: Turns[tuple[str, int]] = Turns()
    joined = [(party, number) for number, party in enumerate(steps) if party is not None]
    for ticket in joined:
        turns.join(ticket[0], ticket)
    assert len(turns) == len(joined)
    served = [turns.next() for _ in joined]
    assert turns.next() is None
    for name in "abcd":
        assert [each for each in served if each and each[0] == name] == [each for each in joined if each[0] == name]
