import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random
from time import monotonic
from typing import cast

import cv2
import httpx
import numpy as np
import pytest
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.commands import memory as memory_command
from benchmarks.commands import rendering
from benchmarks.commands import scale as scale_module
from benchmarks.commands.service import figures, verdict
from benchmarks.load import growth, room
from benchmarks.load import visit as visiting
from benchmarks.load.gauges import Reading, bucket_quantile, quantile, since
from benchmarks.load.knee import FRAME_P95_MS, carried, find_knee, numbers_of_phones
from benchmarks.load.player import SESSIONS, Player
from benchmarks.load.reels import LIT, Clip, Reel, Take
from benchmarks.load.room import Figures, PicturesUsedUpError, Room, _per_hour, enough_people
from benchmarks.load.scaling import Step
from benchmarks.load.strips import ROW, Strips, StripShutter
from benchmarks.load.visit import Visit
from benchmarks.phone.camera import Camera
from benchmarks.service import Service, running_service
from models.engine import Engine
from verify.policy import load_policy

GOOD = Figures(
    phones=4,
    seconds=60.0,
    frames_per_s=32.0,
    superseded_share=0.0,
    frame_ms={"p50": 10.0, "p95": 20.0, "p99": 30.0},
    decision_ms={"p50": 1000.0, "p95": 1001.0, "p99": 1002.0},
    outcomes={"accepted": 8},
    refused_503=0,
    accepted_lost=0,
    cpu_s_per_verification=2.5,
    verifications_per_hour=480,
    load_cpu_share=0.02,
)


@pytest.fixture(scope="module")
def jpeg(portraits: dict[str, bytes]) -> bytes:
    photo = cv2.imdecode(np.frombuffer(portraits["person_a_1"], np.uint8), cv2.IMREAD_COLOR)
    scene = np.asarray(cv2.resize(photo, (480, 640)), np.uint8)
    return StripShutter(Camera(), np.random.default_rng(1)).shoot(scene, 0.0)


@pytest.mark.parametrize(("top", "bottom"), [(0, 0), (1, 0), (0, 3), (5, 5)])
def test_a_cut_picture_shows_the_rows_that_are_left(jpeg: bytes, top: int, bottom: int) -> None:
    whole, cut = _decoded(jpeg), _decoded(Strips.of(jpeg).cut(top=top, bottom=bottom))
    expected = whole[ROW * top : len(whole) - ROW * bottom]
    assert cut.shape == expected.shape
    inner = np.s_[1:-1]  # colour of half the resolution is smoothed across the cut
    assert np.array_equal(cut[inner], expected[inner])


def test_a_picture_that_cannot_be_cut_is_refused() -> None:
    plain = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    with pytest.raises(ValueError, match="no picture of 64"):
        Strips.of(plain)


def _decoded(jpeg: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def _clip(name: str, count: int) -> Clip:
    return tuple(
        Strips(f"{name} {number}".encode(), b"", tuple(bytes((65 + row,)) for row in range(20)))
        for number in range(count)
    )


def _take(cue: str, number: int) -> Take:
    return Take(
        going=_clip(f"{cue}{number} going", 4),
        holding=_clip(f"{cue}{number} holding", 3),
        returning=_clip(f"{cue}{number} returning", 4),
        resting=_clip(f"{cue}{number} resting", 3),
    )


CUES = ("turn_left", "look_up")
REEL = Reel(
    photo=b"",
    takes={cue: tuple(_take(cue, number) for number in range(3)) for cue in CUES},
    lit={cue: {"#ffffff": _clip(f"{cue} white", LIT), "#303030": _clip(f"{cue} dark", LIT)} for cue in CUES},
)


def _shown(player: Player, count: int) -> list[str]:
    return [player.frame().split(b"\x01")[0].decode().rsplit(" ", 1)[0].split(" ", 1)[1] for _ in range(count)]


def test_a_cue_is_followed_and_whoever_has_begun_to_move_arrives_before_going_back() -> None:
    player = Player(REEL, number=0, rng=Random(1))
    assert _shown(player, 2) == ["resting"] * 2
    player.told({"type": "ask", "cue": "turn_left"})
    assert _shown(player, 3) == ["going"] * 3
    player.told({"type": "rest"})
    assert _shown(player, 10) == ["going", *["holding"] * 3, *["returning"] * 4, *["resting"] * 2]
    player.told({"type": "rest"})
    assert _shown(player, 2) == ["resting"] * 2
    player.told({"type": "ask", "cue": "look_up"})
    assert _shown(player, 9) == [*["going"] * 4, *["holding"] * 5]
    player.told({"type": "rest"})
    assert _shown(player, 5) == [*["returning"] * 4, "resting"]


def test_no_take_is_shown_twice_and_a_colour_that_comes_again_is_answered_by_other_frames() -> None:
    player = Player(REEL, number=0, rng=Random(1))
    shown = []
    for _ in range(3):
        player.told({"type": "ask", "cue": "turn_left"})
        shown.append(player.frame())
        player.told({"type": "rest"})
    assert len(set(shown)) == 3
    lit = []
    for _ in range(3):
        player.told({"type": "light", "colour": "#ffffff"})
        lit += [player.frame(), player.frame()]
    assert len(set(lit)) == 6


def test_sessions_of_one_person_are_cut_differently() -> None:
    players = [Player(REEL, number=number, rng=Random(1)) for number in range(SESSIONS)]
    assert len({player.frame() for player in players}) == SESSIONS


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ({0.1: 0.0, float("inf"): 0.0}, 0.5, None),
        ({}, 0.5, None),
        ({0.1: 10.0, 0.2: 10.0, float("inf"): 10.0}, 0.5, 0.05),
        ({0.1: 0.0, 0.2: 10.0, float("inf"): 10.0}, 0.5, 0.15),
        ({0.1: 5.0, 0.2: 5.0, float("inf"): 10.0}, 0.99, 0.2),
    ],
)
def test_quantiles_of_buckets(buckets: Mapping[float, float], share: float, seconds: float | None) -> None:
    assert bucket_quantile(buckets, share) == (None if seconds is None else pytest.approx(seconds))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=100), st.floats(0.01, 0.99))
def test_a_quantile_is_a_value_that_as_many_stay_at_or_under(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


def test_only_what_was_counted_between_two_readings_counts() -> None:
    before = Reading(at=0.0, analysed=1.0, superseded=0.0, buckets={0.1: 3.0, 0.2: 4.0})
    after = Reading(at=1.0, analysed=2.0, superseded=0.0, buckets={0.1: 5.0, 0.2: 9.0})
    assert since(before, after) == {0.1: 2.0, 0.2: 5.0}


@given(st.integers(1, 300))
def test_the_number_of_phones_rises_to_the_most(most: int) -> None:
    numbers = list(numbers_of_phones(most))
    assert numbers[-1] == most
    assert all(1 < following / one <= 2 for one, following in pairwise(numbers))


@pytest.mark.parametrize(
    "wrong",
    [{"refused_503": 1}, {"accepted_lost": 1}, {"frame_ms": {"p95": FRAME_P95_MS + 1}}, {"frame_ms": {"p95": None}}],
)
def test_whoever_is_refused_or_waits_is_not_carried(wrong: dict[str, object]) -> None:
    assert carried(GOOD)
    assert not carried(replace(GOOD, **wrong))


@pytest.mark.parametrize(
    ("room_for", "knee", "tried"), [(7, 7, [2, 3, 4, 6, 9, 7, 8, 14]), (99, 12, [2, 3, 4, 6, 9, 12, 24])]
)
async def test_the_knee_is_the_last_step_that_is_carried_and_twice_as_many_follow(
    room_for: int, knee: int, tried: list[int]
) -> None:
    numbers = list[int]()

    async def attempt(phones: int) -> Figures:
        numbers.append(phones)
        return replace(GOOD, phones=phones, refused_503=max(0, phones - room_for))

    found = await find_knee(attempt, most=12)
    assert found.knee is not None
    assert (found.knee.phones, numbers) == (knee, tried)
    assert figures(found)["knee_phones"] == knee
    assert verdict(found) == "this machine carries 480 verifications an hour at p95 20 ms"


async def test_a_machine_that_carries_nothing_is_told_so() -> None:
    async def attempt(phones: int) -> Figures:
        return replace(GOOD, phones=phones, refused_503=1, accepted_lost=1)

    found = await find_knee(attempt, most=12)
    assert (found.knee, found.accepted_lost, figures(found)["knee_phones"]) == (None, 2, 0)
    assert "does not carry" in verdict(found)


async def test_whoever_is_told_to_come_again_after_the_end_opens_no_more_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = iter([Visit(outcome="accepted", opened=True), Visit(refused=3)])

    async def next_visit(*_: object, **__: object) -> Visit:
        return next(visits)

    monkeypatch.setattr(room, "visit", next_visit)
    there = Room(cast(Service, None), [cast(Reel, None)])
    found = await there._phone(cast(httpx.AsyncClient, None), inf, lambda: None, phones=2)
    assert [each.opened for each in found] == [True, False]


async def test_whoever_finds_the_service_full_before_a_session_comes_again_as_it_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([Response(503, headers={"retry-after": "0"}), Response(503, headers={"retry-after": "60"})])

    async def entered(http: httpx.AsyncClient, *_: object, **__: object) -> None:
        (await http.get("http://127.0.0.1/")).raise_for_status()

    monkeypatch.setattr(visiting, "entered", entered)
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers))) as http:
        reel = Reel(photo=b"", takes={"left": (Take(going=(), holding=(), returning=(), resting=()),)}, lit={})
        found = await visiting.visit(http, reel, number=0, cut=0, until=monotonic() + 1)
    assert (found.refused, found.opened, found.lost) == (2, False, False)


async def test_sessions_that_would_be_refused_as_replays_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = list[int]()

    async def next_visit(*_: object, number: int, **__: object) -> Visit:
        numbers.append(number)
        return Visit(outcome="accepted", opened=True)

    monkeypatch.setattr(room, "visit", next_visit)
    there = Room(cast(Service, None), [cast(Reel, None)] * 2)
    with pytest.raises(PicturesUsedUpError, match=f"2 people make {2 * SESSIONS} sessions"):
        await there._phone(cast(httpx.AsyncClient, None), inf, lambda: None, phones=2)
    assert numbers == list(range(2 * SESSIONS))


async def test_pictures_come_again_once_their_session_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    visits, people = iter(range(3 * enough_people(60) * SESSIONS)), enough_people(60)

    async def next_visit(*_: object, **__: object) -> Visit:
        return Visit(outcome="accepted", opened=next(visits, None) is not None)

    monkeypatch.setattr(room, "visit", next_visit)
    there = Room(cast(Service, None), [cast(Reel, None)] * people)
    found = await there._phone(cast(httpx.AsyncClient, None), inf, lambda: None, phones=60)
    assert sum(each.opened for each in found) == 3 * people * SESSIONS


def test_people_are_enough_once_what_is_remembered_is_less_than_they_show() -> None:
    remembered = load_policy().fraud.frames_most
    for phones in (1, 12, 96, 500):
        assert enough_people(phones) * SESSIONS >= remembered + phones > (enough_people(phones) - 1) * SESSIONS


def test_beyond_the_portraits_faces_come_again_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[bytes, int]]()
    monkeypatch.setattr(rendering, "render_reel", lambda photo, *, seed, **_: asked.append((photo, seed)))
    with Progress(disable=True) as progress:
        rendering.render_people(6, cast(Engine, None), progress)
    assert len({photo for photo, _ in asked}) == 4
    assert asked[4][0] == asked[0][0]
    assert len(set(asked)) == 6


def test_what_an_hour_carries_follows_from_how_long_each_takes() -> None:
    visits = [Visit(outcome="accepted", opened=True, seconds=36.0), Visit(outcome="retry", opened=True, seconds=36.0)]
    assert _per_hour(visits, 4) == pytest.approx(200)
    assert _per_hour([Visit()], 4) == 0


@pytest.mark.parametrize(
    ("visit", "lost"),
    [
        (Visit(), False),
        (Visit(opened=True, outcome="rejected"), False),
        (Visit(opened=True, outcome="overloaded"), True),
        (Visit(opened=True, outcome="connection_lost (ConnectionClosed)"), True),
    ],
)
def test_a_session_that_was_opened_and_has_no_result_is_lost(visit: Visit, lost: bool) -> None:
    assert visit.lost is lost


def test_two_phones_are_verified_by_a_service_of_their_own(tmp_path: Path) -> None:
    kept = tmp_path / "service.json"
    found = CliRunner().invoke(
        app, ["service", "--phones", "1", "--seconds", "1", "--people", "1", "--json", str(kept)]
    )
    assert found.exit_code == 0, found.output
    told = json.loads(kept.read_text("utf-8"))
    assert [each["phones"] for each in (*told["steps"], told["beyond"])] == [1, 2]
    assert (told["accepted_lost"], told["beyond"]["refused_503"]) == (0, 0)
    assert told["frames_per_s"] > 0
    assert told["decision_p95_ms"] > 0
    assert told["frame_p95_ms"] > 0
    assert told["machine"]["cores"] >= 1
    outcomes = [each["outcomes"] for each in (*told["steps"], told["beyond"])]
    assert sum(sum(each.values()) for each in outcomes) == 3
    assert sum(each.get("accepted", 0) for each in outcomes) >= 1, outcomes


def test_growth_is_measured_over_sessions_that_are_all_concluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds no place waits for one: there are six for eight phones."""
    monkeypatch.setattr(memory_command, "running_service", partial(running_service, live_sessions="6"))
    monkeypatch.setattr(growth, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(growth, "FRAMES", 3)
    kept = tmp_path / "memory.json"
    found = CliRunner().invoke(app, ["memory", "--sessions", "4", "--json", str(kept)])
    assert found.exit_code == 0, found.output
    told = json.loads(kept.read_text("utf-8"))
    assert (told["sessions"], told["warm_up"], told["not_concluded"]) == (4, 8, 0)
    assert told["rss_mb"] > 50
    assert abs(told["growth_mb"]) < told["rss_mb"]


@given(st.integers(1, 500))
def test_memory_is_read_at_even_parts_of_the_way(sessions: int) -> None:
    parts = growth.parts_of(sessions)
    assert sum(parts) == sessions
    assert len(parts) == min(10, sessions)
    assert max(parts) - min(parts) <= 1


def test_processes_on_one_store_are_counted_together() -> None:
    step = Step(2, (GOOD, replace(GOOD, frame_ms={**GOOD.frame_ms, "p95": 70.0}, accepted_lost=1)))
    assert step.frames_per_s == pytest.approx(2 * GOOD.frames_per_s)
    assert step.verifications_per_hour == 2 * GOOD.verifications_per_hour
    assert (step.worst_frame_p95_ms, step.accepted_lost) == (70.0, 1)
    assert Step(1, (replace(GOOD, frame_ms={"p95": None}),)).worst_frame_p95_ms is None


def test_two_processes_on_one_store_verify_a_person_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same one in every case, who is rendered sooner than several."""
    monkeypatch.setattr(scale_module, "enough_people", lambda _: 1)
    kept = tmp_path / "scale.json"
    command = ["scale", "--processes", "2", "--phones", "1", "--seconds", "1", "--json", str(kept)]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.output
    told = json.loads(kept.read_text("utf-8"))
    assert [len(step["each"]) for step in told["steps"]] == [1, 2]
    assert told["accepted_lost"] == 0
    assert told["frames_per_s"]["2"] > 0
    outcomes = [each["outcomes"] for step in told["steps"] for each in step["each"]]
    assert sum(sum(each.values()) for each in outcomes) == 3
    assert sum(each.get("accepted", 0) for each in outcomes) >= 1, outcomes
