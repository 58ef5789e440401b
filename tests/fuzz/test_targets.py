"""Targets on their seeds, on mended findings, and on arbitrary bytes, a bounded number of them."""

from pathlib import Path

import pytest
from fuzz_targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

FINDINGS = Path(__file__).parent / "findings"
"""Inputs that once broke a target, as `TARGET-WHAT`."""


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_findings_end_as_they_must(name: str) -> None:
    inputs = [*TARGETS[name].seeds(), *(path.read_bytes() for path in sorted(FINDINGS.glob(f"{name}-*")))]
    for data in inputs:
        TARGETS[name].run(data)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_what_is_changed_in_a_seed_or_arbitrary_ends_as_it_must(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from([b"", *TARGETS[name].seeds()]))
    place = data.draw(st.integers(0, len(seed)))
    removed = data.draw(st.integers(0, 8))
    TARGETS[name].run(seed[:place] + data.draw(st.binary(max_size=64)) + seed[place + removed :])


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_first_seed_seriously(name: str) -> None:
    """A seed that is refused at the door would let a fuzzer see nothing behind it."""
    assert len(TARGETS[name].seeds()) >= 4
    assert len(set(TARGETS[name].seeds())) == len(TARGETS[name].seeds())
