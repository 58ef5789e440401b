"""The state machine, driven frame by frame on a made-up clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from observations import GREY, face, observed

from liveness.challenge import CUES_PER_CHALLENGE, MORE_CUES, Accommodation, Challenge, Cue, draw_challenge
from liveness.colours import HOLD_SECONDS, Colour
from liveness.motion import STILL, Motion
from liveness.observation import FaceView, Observation
from liveness.prompts import Ask, Done, Guidance, Guide, Light, Prompt, Rest, Seen
from liveness.report import CueOutcome
from liveness.script import (
    CUE_SECONDS,
    ECHO_SECONDS,
    FRAMING_SECONDS,
    REST_SECONDS,
    SETTLED_SECONDS,
    Phase,
    advance,
    begin,
    final_reports,
    rest_opens,
)
from models.illumination import Illumination
from models.pose import Pose
from verify.policy import load_policy

LIMITS = load_policy().liveness
MOTIONS = {
    Cue.TURN_LEFT: Motion(yaw=20, pitch=0, scale=1),
    Cue.TURN_RIGHT: Motion(yaw=-20, pitch=0, scale=1),
    Cue.LOOK_UP: Motion(yaw=0, pitch=15, scale=1),
    Cue.LOOK_DOWN: Motion(yaw=0, pitch=-15, scale=1),
    Cue.COME_CLOSER: Motion(yaw=0, pitch=0, scale=1.3),
}


@dataclass
class Player:
    """Feeds observations at 8 frames a second and keeps what was told."""

    challenge: Challenge = field(default_factory=lambda: draw_challenge(Random(4)))
    now: float = 100.0
    told: list[Prompt] = field(default_factory=list)
    references: list[float] = field(default_factory=list)
    """When motion began to be measured anew."""

    def __post_init__(self) -> None:
        self.state = begin(now=self.now)

    def feed(self, view: FaceView | None, *, nonce: str = "") -> tuple[Prompt, ...]:
        return self.step(observed(self.now, view, nonce=nonce))

    def step(self, observation: Observation | None, *, seconds: float = 0.125) -> tuple[Prompt, ...]:
        self.now += seconds
        step = advance(self.state, challenge=self.challenge, thresholds=LIMITS, observation=observation, now=self.now)
        if rest_opens(step.state, self.now):
            self.references.append(self.now)
        self.state = step.state
        self.told.extend(step.prompts)
        return step.prompts

    def until(self, kind: type[Prompt], view: FaceView, nonce: str, most: int = 200) -> Prompt:
        for _ in range(most):
            for prompt in self.feed(view, nonce=nonce):
                if isinstance(prompt, kind):
                    return prompt
        raise AssertionError(f"no {kind} came")

    def to_first_ask(self) -> Ask:
        rest = self.until(Rest, face(), "")
        assert isinstance(rest, Rest)
        ask = self.until(Ask, face(), rest.nonce)
        assert isinstance(ask, Ask)
        return ask

    def to_second_rest(self) -> Rest:
        ask = self.to_first_ask()
        _, rest = self.feed(face(motion=MOTIONS[ask.cue]), nonce=ask.nonce)
        assert isinstance(rest, Rest)
        return rest


def kinds(prompts: Iterable[Prompt]) -> list[str]:
    return [type(prompt).__name__ for prompt in prompts if not isinstance(prompt, Guide)]


def lit_by(colour: Colour, *, answers: float) -> Illumination:
    """What a face shows under a colour; `answers`: the screen's light as a share of the room's."""
    red, green, blue = (0.3 * (1 + answers * light) for light in colour.linear)
    return replace(GREY, skin=(red, green, blue), features=(red / 6, green / 6, blue / 6))


def follow(player: Player, *, answers: float) -> None:
    """Do all that is asked; `answers`: how strongly the face answers the screen."""
    nonce, colour = "", None
    while player.state.phase is not Phase.DONE:
        phase, index = player.state.phase, player.state.index
        motion = MOTIONS[player.challenge.cues[index]] if phase is Phase.CUE else STILL
        light = lit_by(colour, answers=answers) if colour is not None and phase is Phase.LIGHT else None
        for prompt in player.feed(face(motion=motion, illumination=light), nonce=nonce):
            nonce = prompt.nonce if isinstance(prompt, Ask | Rest | Light) else nonce
            colour = prompt.colour if isinstance(prompt, Light) else colour


def to_the_light(player: Player) -> str:
    """Answer all cues; gives the nonce of the first screen."""
    nonce = ""
    while player.state.phase is not Phase.LIGHT:
        motion = MOTIONS[player.challenge.cues[player.state.index]] if player.state.phase is Phase.CUE else STILL
        for prompt in player.feed(face(motion=motion), nonce=nonce):
            nonce = prompt.nonce if isinstance(prompt, Ask | Rest | Light) else nonce
    return nonce


def test_a_willing_person_comes_to_the_end() -> None:
    player = Player()
    follow(player, answers=0.2)
    screens = ["Light"] * len(player.challenge.screens)
    assert kinds(player.told) == [*(["Rest", "Ask", "Seen"] * CUES_PER_CHALLENGE), *screens, "Done"]
    assert player.state.complete
    reports = final_reports(player.state, player.challenge)
    assert [report.outcome for report in reports] == [CueOutcome.ANSWERED] * CUES_PER_CHALLENGE
    assert [report.cue for report in reports] == list(player.challenge.cues[:CUES_PER_CHALLENGE])
    assert all(report.asked_at < report.opened_at <= report.answered_at for report in reports)  # type: ignore[operator]


@pytest.mark.parametrize("light", [True, False])
def test_light_that_says_nothing_or_was_not_wanted_asks_for_more_cues(light: bool) -> None:
    player = Player(challenge=draw_challenge(Random(4), Accommodation(light=light)))
    follow(player, answers=0.0)
    assert kinds(player.told).count("Light") == (len(player.challenge.screens) if light else 0)
    assert kinds(player.told).count("Seen") == CUES_PER_CHALLENGE + MORE_CUES
    assert player.state.complete


def test_a_colour_stays_for_its_time_and_is_told_only_when_the_last_was_seen() -> None:
    player = Player()
    nonce = to_the_light(player)
    assert player.feed(face(), nonce=player.challenge.nonces[0]) == ()
    assert player.feed(face(), nonce=nonce) == ()
    opened = player.now
    told = player.until(Light, face(), nonce)
    assert isinstance(told, Light)
    assert told.index == 1
    assert HOLD_SECONDS <= player.now - opened <= HOLD_SECONDS + 0.13


def test_silence_under_a_colour_ends_the_session_incomplete() -> None:
    player = Player()
    to_the_light(player)
    assert kinds(player.step(None, seconds=ECHO_SECONDS + 0.1)) == ["Done"]
    assert not player.state.complete


def test_the_next_cue_is_not_told_before_the_last_was_answered() -> None:
    player = Player()
    ask = player.to_first_ask()
    for _ in range(20):
        player.feed(face(), nonce=ask.nonce)
    assert kinds(player.told) == ["Rest", "Ask"]


def test_a_frame_with_an_older_nonce_never_answers() -> None:
    player = Player()
    player.to_first_ask()
    answer = face(motion=MOTIONS[player.challenge.cues[0]])
    for stale in ("", player.challenge.rests[0], "ffffffff", player.challenge.nonces[1]):
        assert player.feed(answer, nonce=stale) == ()
    assert player.state.opened_at is None
    assert kinds(player.feed(answer, nonce=player.challenge.nonces[0])) == ["Seen", "Rest"]


def test_the_wrong_motion_ends_the_session() -> None:
    player = Player()
    ask = player.to_first_ask()
    wrong = next(cue for cue in Cue if cue is not ask.cue)
    big = Motion(yaw=1.5 * MOTIONS[wrong].yaw, pitch=1.5 * MOTIONS[wrong].pitch, scale=1.4 * MOTIONS[wrong].scale - 0.4)
    assert kinds(player.feed(face(motion=big), nonce=ask.nonce)) == ["Done"]
    outcomes = [report.outcome for report in final_reports(player.state, player.challenge)]
    assert outcomes == [CueOutcome.WRONG_MOTION] + [CueOutcome.NOT_ASKED] * (CUES_PER_CHALLENGE - 1)


def test_the_window_opens_at_the_first_echo() -> None:
    player = Player()
    ask = player.to_first_ask()
    player.step(None, seconds=ECHO_SECONDS - 0.5)
    player.feed(face(), nonce=ask.nonce)
    player.step(None, seconds=CUE_SECONDS - 0.5)
    assert kinds(player.feed(face(motion=MOTIONS[ask.cue]), nonce=ask.nonce)) == ["Seen", "Rest"]


@pytest.mark.parametrize("echoed", [True, False])
def test_silence_in_a_cue_ends_by_the_servers_clock(echoed: bool) -> None:
    player = Player()
    ask = player.to_first_ask()
    if echoed:
        player.feed(face(), nonce=ask.nonce)
    assert player.step(None, seconds=(CUE_SECONDS if echoed else ECHO_SECONDS) - 0.01) == ()
    assert kinds(player.step(None, seconds=0.02)) == ["Done"]
    assert final_reports(player.state, player.challenge)[0].outcome is CueOutcome.TIMED_OUT


def test_a_late_answer_does_not_count() -> None:
    player = Player()
    ask = player.to_first_ask()
    player.feed(face(), nonce=ask.nonce)
    player.now += CUE_SECONDS
    assert kinds(player.feed(face(motion=MOTIONS[ask.cue]), nonce=ask.nonce)) == ["Done"]


def test_framing_waits_for_a_good_face_and_gives_up_at_last() -> None:
    player = Player()
    for _ in range(10):
        player.feed(face(eye_distance=0.05))
    assert player.told == [Guide(Guidance.CLOSER)]
    assert kinds(player.step(None, seconds=FRAMING_SECONDS)) == ["Done"]
    assert {report.outcome for report in final_reports(player.state, player.challenge)} == {CueOutcome.NOT_ASKED}


def test_a_rest_wants_a_straight_look() -> None:
    player = Player()
    rest = player.until(Rest, face(), "")
    assert isinstance(rest, Rest)
    for _ in range(30):
        player.feed(face(pose=Pose(25.0, 0.0, 0.0)), nonce=rest.nonce)
    assert player.told[-1] == Guide(Guidance.LOOK_STRAIGHT)
    assert player.state.phase is Phase.REST
    player.step(None, seconds=REST_SECONDS)
    assert player.state.phase is Phase.DONE


def test_a_rest_opens_at_once_where_the_last_one_was() -> None:
    player = Player()
    rest = player.to_second_rest()
    player.feed(face(), nonce=rest.nonce)
    assert player.state.opened_at == player.references[-1] == player.now


def test_a_straight_head_that_settles_elsewhere_rests_there() -> None:
    player = Player()
    rest = player.to_second_rest()
    references = list(player.references)
    elsewhere = face(motion=Motion(yaw=LIMITS.cues.still_degrees + 2, pitch=0, scale=1))
    settling_since = player.now + 0.125
    while player.state.opened_at is None:
        player.feed(elsewhere, nonce=rest.nonce)
    assert SETTLED_SECONDS <= player.now - settling_since <= SETTLED_SECONDS + 0.13
    assert player.references == [*references, player.now]
    assert [prompt for prompt in player.told if isinstance(prompt, Guide)][-2:] == [
        Guide(Guidance.LOOK_STRAIGHT),
        Guide(Guidance.HOLD_STILL),
    ]
    player.until(Ask, face(), rest.nonce)


@pytest.mark.parametrize("cue", Cue)
def test_a_head_that_still_does_what_a_cue_asks_for_does_not_settle(cue: Cue) -> None:
    player = Player()
    rest = player.to_second_rest()
    for _ in range(int(3 * SETTLED_SECONDS / 0.125)):
        player.feed(face(motion=MOTIONS[cue]), nonce=rest.nonce)
        assert player.state.opened_at is None
    assert player.state.phase is Phase.REST
    player.until(Ask, face(), rest.nonce)


@pytest.mark.parametrize(
    "unrest",
    [
        {"motion": Motion(yaw=3 * LIMITS.cues.still_degrees, pitch=0, scale=1)},
        {"motion": Motion(yaw=LIMITS.cues.still_degrees + 2, pitch=0, scale=1 + 2 * LIMITS.cues.still_scale)},
        {"pose": Pose(25.0, 0.0, 0.0)},
    ],
    ids=["turns", "leans", "looks-aside"],
)
def test_a_head_that_does_not_settle_does_not_rest(unrest: dict[str, object]) -> None:
    player = Player()
    rest = player.to_second_rest()
    elsewhere = face(motion=Motion(yaw=LIMITS.cues.still_degrees + 2, pitch=0, scale=1))
    for _ in range(int(REST_SECONDS / 0.25) - 1):
        player.feed(elsewhere, nonce=rest.nonce)
        player.feed(replace(elsewhere, **unrest), nonce=rest.nonce)
        assert player.state.opened_at is None


@pytest.mark.parametrize("motion", [None, Motion(yaw=LIMITS.cues.still_degrees + 1, pitch=0, scale=1)])
def test_moving_or_losing_the_face_begins_the_pause_anew(motion: Motion | None) -> None:
    player = Player()
    rest = player.until(Rest, face(), "")
    assert isinstance(rest, Rest)
    player.feed(face(motion=None), nonce=rest.nonce)
    player.step(None, seconds=player.challenge.pauses[0] - 0.2)
    player.feed(face(motion=motion), nonce=rest.nonce)
    again = player.now
    assert player.state.opened_at == player.references[-1] == again
    player.until(Ask, face(), rest.nonce)
    assert player.now - again >= player.challenge.pauses[0]


def test_motion_is_measured_from_the_frame_that_opens_the_rest() -> None:
    player = Player()
    ask = player.to_first_ask()
    (opened,) = player.references
    assert player.now - opened >= player.challenge.pauses[0]
    player.feed(face(), nonce=ask.nonce)
    assert player.references == [opened]


def test_the_pause_before_a_cue_is_the_drawn_one() -> None:
    player = Player()
    rest = player.until(Rest, face(), "")
    assert isinstance(rest, Rest)
    started = player.now
    player.until(Ask, face(), rest.nonce)
    assert player.challenge.pauses[0] <= player.now - started <= player.challenge.pauses[0] + 0.3


def test_after_the_end_nothing_changes() -> None:
    player = Player()
    player.step(None, seconds=FRAMING_SECONDS + 1)
    ended = player.state
    assert player.feed(face()) == ()
    assert player.state == ended


def test_seen_comes_with_its_index() -> None:
    player = Player()
    ask = player.to_first_ask()
    assert player.feed(face(motion=MOTIONS[ask.cue]), nonce=ask.nonce)[0] == Seen(0)
    assert Done() not in player.told
