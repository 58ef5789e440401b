import asyncio
import json
from cProfile import Profile
from pathlib import Path
from secrets import token_bytes

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.timing import Timed
from benchmarks.tokens.bare import Bare, NotAppliedError, RecordedConnection, recorded
from benchmarks.tokens.installation import install
from benchmarks.tokens.measure import Measured, paced
from benchmarks.tokens.profiled import shares
from benchmarks.tokens.signatures import timed_signatures
from verify.connection import client, connect
from verify.embedded import EmbeddedValkey
from verify.jose import new_signing_key, sign
from verify.signing import load_keys
from verify.store import Store


def test_the_bench_writes_its_figures(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    size = ["--redemptions", "12", "--rounds", "3", "--callers", "2", "--profile"]
    result = CliRunner().invoke(app, ["tokens", *size, "--json", str(figures)])
    assert result.exit_code == 0, result.output
    found = json.loads(figures.read_text("utf-8"))
    assert (found["redemptions"], found["rounds"], found["callers"]) == (12, 3, 2)
    assert min(found["redeem_per_s"], found["mint_per_s"], found["store_ratio"], found["code_ratio"]) > 0
    assert min(found["jose_us"][name] for name in ("sign", "verify")) > 0
    assert "redis" in found["machine"]["versions"]
    assert found["one_us"]["http_redeem"] > found["one_us"]["bare"]
    assert set(found["profile"]) >= {"HTTP", "way to the store", "signatures", "deciding, hashing, encoding"}
    assert sum(found["profile"].values()) == pytest.approx(1, abs=0.01)


def test_a_round_without_a_redemption_is_refused() -> None:
    refused = CliRunner().invoke(app, ["tokens", "--redemptions", "2", "--rounds", "3"])
    assert refused.exit_code == 2
    assert "--redemptions" in refused.output


def test_signatures_are_taken_out_before_the_ratio() -> None:
    timed = {
        "bare": (4.0, 4.0, 8.0),
        "sent": (3.0, 3.0, 3.0),
        "own": (9.0, 9.0, 9.0),
        "own_signatures": (4.0, 4.0, 1.0),
    }
    measured = Measured(each=2, timed={name: Timed(milliseconds) for name, milliseconds in timed.items()})
    assert measured.store_ratio == pytest.approx(4 / 5)
    assert measured.code_ratio == pytest.approx(3 / 5)
    assert measured.per_second("bare") == pytest.approx(500.0)
    assert measured.microseconds("bare") == pytest.approx(2000.0)


async def test_signatures_of_a_redemption_are_timed_where_they_are_made(tmp_path: Path) -> None:
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    async with Store(connect(embedded.url)) as store:
        bench = await install(store, load_keys(tmp_path / "data", entropy=token_bytes))
        person = await bench.verified(1)
        token = await bench.mint(person)
        with timed_signatures() as spent:
            assert spent.milliseconds == 0
            await bench.redemptions.redeem(bench.client, token, person.restated)
            once = spent.milliseconds
        assert 0 < once < 1000
        await bench.mint(await bench.verified(2))
        assert spent.milliseconds == once
    await embedded.close()


async def test_callers_share_the_work_and_results_keep_their_order() -> None:
    at_once, most = 0, 0

    async def act(number: int) -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.002 * (5 - number))
        at_once -= 1
        return number

    milliseconds, found = await paced([lambda n=n: act(n) for n in range(5)], callers=3)
    assert (found, most) == ([0, 1, 2, 3, 4], 3)
    assert milliseconds > 0


async def test_a_redemption_is_done_again_on_the_twin_of_its_case(tmp_path: Path) -> None:
    embedded = EmbeddedValkey(tmp_path / "store")
    await embedded.start(supervise=False)
    bare, sent = (Bare(embedded.url, prefix="own", twin=twin) for twin in ("twin", "other"))
    try:
        async with (
            Store(RecordedConnection(client(embedded.url)), prefix="own") as store,
            Store(RecordedConnection(client(embedded.url)), prefix="twin") as twin,
        ):
            own = await install(store, load_keys(tmp_path, entropy=token_bytes))
            person = await own.verified(1)
            token = await own.mint(person)
            case = person.restated.case
            await bare.copy([case])
            await sent.copy([case])
            assert (await twin.load(case))[0].receipts == {}
            with recorded() as trips:
                receipt = await own.redemptions.redeem(own.client, token, person.restated)
            await bare.replay(bare.twin_of(trips), bare.by_pipeline)
            await sent.replay(sent.twin_of(trips), sent.by_exchange)
            assert (await twin.load(case))[0] == (await store.load(case))[0]
            assert set((await twin.load(case))[0].receipts) == {receipt.id}
            async with Store(connect(embedded.url), prefix="other") as other:
                assert (await other.load(case))[0] == (await store.load(case))[0]
            elsewhere = Bare(embedded.url, prefix="own", twin="nowhere")
            with pytest.raises(NotAppliedError, match="conflict"):
                await elsewhere.replay(elsewhere.twin_of(trips), elsewhere.by_pipeline)
            await elsewhere.close()
    finally:
        await bare.close()
        await sent.close()
        await embedded.close()


def test_a_profile_puts_what_libraries_have_called_down_to_them(tmp_path: Path) -> None:
    key, profile = new_signing_key(), Profile()
    profile.enable()
    for number in range(50):
        sign({"n": number}, key=key, kind="test+jwt")
    profile.disable()
    profile.dump_stats(tmp_path / "profile")
    found = shares(tmp_path / "profile")
    assert next(iter(found)) == "signatures"
    assert sum(found.values()) == pytest.approx(1)
    assert found["signatures"] + found["deciding, hashing, encoding"] > 0.95
