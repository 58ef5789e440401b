"""Sessions are counted by how they ended, in the store, with the reason that nobody outside is told."""

from dataclasses import replace

import pytest
from registry_office import CONVINCING, IMPOSTOR, INTERRUPTED, ClockedStore, Office

from liveness.report import Status
from verify.decision import Accepted, Reason, Rejected, Retry
from verify.evidence import Evidence
from verify.fraud import FraudSign
from verify.tally import SIGN, Ended, Tally, summed

FLAT = replace(
    CONVINCING,
    liveness=replace(
        CONVINCING.liveness, signals=(replace(CONVINCING.liveness.signals[0], status=Status.FAIL, score=0.0),)
    ),
)


@pytest.mark.parametrize(
    ("evidence", "ended"),
    [
        (CONVINCING, Ended("live", "accepted")),
        (INTERRUPTED, Ended("live", "retry", "interrupted")),
        (IMPOSTOR, Ended("live", "rejected", "mismatch")),
        (FLAT, Ended("live", "rejected", "liveness", "relief")),
    ],
)
async def test_each_way_to_end_is_counted_with_its_true_reason(
    office: Office, evidence: Evidence, ended: Ended
) -> None:
    file, (subject,) = await office.case()
    await office.sessions.finish(await office.claim(file, subject), evidence)
    tally, now = Tally(office.store), await office.store.now()
    assert await tally.last_hour(mode="live", now=now) == {ended: 1}
    assert (await tally.by_hour(0, mode="live", now=now))[-1] == {ended: 1}
    assert await tally.last_hour(mode="test", now=now) == {}


async def test_hours_are_kept_apart_and_add_up(clocked_store: ClockedStore) -> None:
    tally, now = Tally(clocked_store), 1_800_000_000.0
    for back, decision in ((0, Accepted()), (3600, Accepted()), (3600, Retry(Reason.TOO_DARK)), (7200, Accepted())):
        await tally.count("live", decision, (), now=now - back)
    accepted, dark = Ended("live", "accepted"), Ended("live", "retry", "too_dark")
    hours = await tally.by_hour(2, mode="live", now=now)
    assert hours == ({accepted: 1}, {accepted: 1, dark: 1}, {accepted: 1})
    assert summed(hours) == {accepted: 3, dark: 1}
    assert await tally.last_hour(mode="live", now=now) == {accepted: 2, dark: 1}
    assert await tally.last_hour(mode="live", now=now + 300) == {accepted: 1}


async def test_signs_of_fraud_are_counted_beside_the_outcome(clocked_store: ClockedStore) -> None:
    tally, now = Tally(clocked_store), await clocked_store.now()
    signs = (FraudSign(name="same_frames", does="refuse"), FraudSign(name="pace", does="flag"))
    await tally.count("live", Rejected(Reason.FRAUD, "same_frames"), signs, now=now)
    assert await tally.last_hour(mode="live", now=now) == {
        Ended("live", "rejected", "fraud", "same_frames"): 1,
        Ended("live", SIGN, "same_frames", "refuse"): 1,
        Ended("live", SIGN, "pace", "flag"): 1,
    }


async def test_counts_do_not_stay_for_ever(clocked_store: ClockedStore) -> None:
    now = await clocked_store.now()
    await Tally(clocked_store).count("live", Accepted(), (), now=now)
    for name, most in ((f"{{tally}}:hour:{int(now // 3600)}", 8 * 86400), (f"{{tally}}:slice:{int(now // 300)}", 7200)):
        assert 0 < await clocked_store.ask("TTL", name) <= most
