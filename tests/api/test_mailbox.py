import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.mailbox import Mailbox


async def test_the_newest_value_wins() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert [mailbox.put(1), mailbox.put(2), mailbox.put(3)] == [False, True, True]
    assert mailbox.take() == 3
    assert not await mailbox.filled(timeout=0.001)
    with pytest.raises(LookupError):
        mailbox.take()


async def test_a_waiting_reader_hears_of_the_next_value() -> None:
    mailbox: Mailbox[str] = Mailbox()
    reader = asyncio.create_task(mailbox.filled(timeout=5))
    await asyncio.sleep(0)
    mailbox.put("frame")
    assert await reader
    assert mailbox.take() == "frame"


@given(st.lists(st.sampled_from(["put", "keep", "take"]), max_size=60))
async def test_what_is_kept_is_never_lost_and_what_is_taken_is_in_order(steps: list[str]) -> None:
    mailbox: Mailbox[int] = Mailbox()
    kept, taken, newest = set[int](), list[int](), -1
    for number, step in enumerate([*steps, "take", *["take"] * steps.count("keep")]):
        if step == "take":
            if await mailbox.filled(timeout=0):
                taken.append(mailbox.take())
            continue
        mailbox.put(number, keep=step == "keep")
        newest = number
        kept |= {number} if step == "keep" else set()
    assert kept <= set(taken)
    assert taken == sorted(taken)
    assert newest in {-1, *taken}
