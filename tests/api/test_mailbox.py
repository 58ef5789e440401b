import asyncio

from api.mailbox import Mailbox


async def test_the_newest_value_wins() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert [mailbox.put(1), mailbox.put(2), mailbox.put(3)] == [False, True, True]
    assert await mailbox.take(timeout=1) == 3
    assert await mailbox.take(timeout=0.001) is None


async def test_a_waiting_reader_gets_the_next_value() -> None:
    mailbox: Mailbox[str] = Mailbox()
    reader = asyncio.create_task(mailbox.take(timeout=5))
    await asyncio.sleep(0)
    mailbox.put("frame")
    assert await reader == "frame"
