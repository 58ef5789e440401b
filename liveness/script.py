"""The course of one session: framing, rest and cue in turn, then the screens, as a pure state machine.

`advance` takes a state, an observation (or None: time alone has passed) and the time, and gives the next state and
what to tell the phone. Frames count for a cue only if they echo its nonce; its window opens at the first echo and
ends by the server's clock, so that a slow network costs patience, not honesty. The next cue is not told before the
last was answered. Where the screens' light says nothing, or was not wanted, more cues follow.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from liveness.answer import Answer, answers_any, extent, judge_motion
from liveness.challenge import CUES_PER_CHALLENGE, Challenge
from liveness.colours import HOLD_SECONDS
from liveness.framing import framing_guidance
from liveness.light import LightAnswer, LitFrame, measure_light
from liveness.motion import STILL, Motion
from liveness.observation import FaceView, Observation
from liveness.prompts import Ask, Done, Guidance, Guide, Light, Prompt, Rest, Seen
from liveness.report import CueOutcome, CueReport, Status
from liveness.signals import light_signal
from liveness.thresholds import CueThresholds, LivenessThresholds, SignalThresholds
from models.pose import Pose

FRAMING_FRAMES = 3
"""Good frames in a row that end the framing."""
FRAMING_SECONDS = 45.0
REST_SECONDS = 20.0
"""Longest that a person may take to look straight again."""
SETTLED_SECONDS = 1.5
"""A straight head that has been still for so long rests, though not quite where the last rest was."""
CUE_SECONDS = 7.0
"""From the first echo of a cue's nonce to its answer."""
ECHO_SECONDS = 8.0
"""From telling a cue to the first echo of its nonce: the slowest network that is served."""

FRAMES_PER_SCREEN = 2
"""Fewest frames under a colour."""
SCREEN_SECONDS = 5.0
"""From the first frame under a colour to the next colour: the slowest camera that is served."""

NO_NONCE = ""
"""The nonce of frames that are sent before the first rest."""


class Phase(StrEnum):
    """Where a session stands."""

    FRAMING = "framing"
    REST = "rest"
    CUE = "cue"
    LIGHT = "light"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Settling:
    """A straight head that has been still since `since`; it was `motion` away from the last rest then."""

    since: float
    motion: Motion


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptState:
    """Everything that the next step depends on. Times are seconds on the server's monotonic clock."""

    started_at: float
    phase: Phase = Phase.FRAMING
    index: int = 0
    told_at: float = 0.0
    """When the phase's prompt was given out."""
    opened_at: float | None = None
    """When the phase's nonce was first echoed; a rest: since when the head has been straight and still."""
    guidance: Guidance | None = None
    straight: tuple[Pose, ...] = ()
    """Good poses of the framing in a row."""
    neutral: Pose | None = None
    """The person's own straight look, from the framing."""
    settling: Settling | None = None
    """Of a rest that is not open yet, while the head is straight."""
    peak: float | None = None
    reports: tuple[CueReport, ...] = ()
    screen: int = 0
    frames: int = 0
    """Under the screen that is shown."""
    lit: tuple[LitFrame, ...] = ()
    light: LightAnswer | None = None
    """How the screens were answered; None before their end, and where too little was seen."""
    complete: bool = False
    """Whether all was asked that had to be, and answered."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next state, and what to tell the phone."""

    state: ScriptState
    prompts: tuple[Prompt, ...] = ()


def begin(*, now: float) -> ScriptState:
    """The state of a session that starts now."""
    return ScriptState(started_at=now, told_at=now)


def advance(
    state: ScriptState,
    *,
    challenge: Challenge,
    thresholds: LivenessThresholds,
    observation: Observation | None,
    now: float,
) -> Step:
    """One step. Pure: the same arguments give the same step."""
    match state.phase:
        case Phase.FRAMING:
            return _frame(state, challenge, observation, now)
        case Phase.REST:
            return _rest(state, challenge, thresholds.cues, observation, now)
        case Phase.CUE:
            return _cue(state, challenge, thresholds.cues, observation, now)
        case Phase.LIGHT:
            return _light(state, challenge, thresholds.signals, observation, now)
        case Phase.DONE:
            return Step(state)


def rest_opens(state: ScriptState, now: float) -> bool:
    """Whether the frame that arrived at `now` opened a rest: it becomes the reference of the next motion."""
    return state.phase is Phase.REST and state.opened_at == now


def counts_for_identity(before: ScriptState, step: Step) -> bool:
    """Whether a frame is one that the person is compared by: each cue's first and last, the light's first and last."""
    after = step.state
    cue_opened = before.phase is Phase.CUE and before.opened_at is None and after.opened_at is not None
    answered = any(isinstance(prompt, Seen) for prompt in step.prompts)
    light_began = before.phase is Phase.LIGHT and not before.lit and bool(after.lit)
    return cue_opened or answered or light_began or (before.phase is Phase.LIGHT and after.phase is not Phase.LIGHT)


def final_reports(state: ScriptState, challenge: Challenge) -> tuple[CueReport, ...]:
    """One report a cue, in order; those that everybody is asked and that were never reached say so."""
    reached = len(state.reports)
    return state.reports + tuple(_not_asked(challenge, index) for index in range(reached, CUES_PER_CHALLENGE))


def _frame(state: ScriptState, challenge: Challenge, observation: Observation | None, now: float) -> Step:
    if now - state.told_at > FRAMING_SECONDS:
        return _finish(state)
    if observation is None:
        return Step(state)
    guidance = framing_guidance(observation)
    good = guidance is Guidance.GOOD and observation.face is not None
    straight = (*state.straight, observation.face.pose) if good and observation.face else ()
    if len(straight) >= FRAMING_FRAMES:
        neutral = _median_pose(straight)
        return _to_rest(replace(state, neutral=neutral, guidance=None), challenge, index=0, now=now)
    return _guided(replace(state, straight=straight), guidance)


def _rest(
    state: ScriptState,
    challenge: Challenge,
    thresholds: CueThresholds,
    observation: Observation | None,
    now: float,
) -> Step:
    if now - state.told_at > REST_SECONDS:
        return _finish(state)
    if observation is None or observation.nonce != challenge.rests[state.index]:
        return Step(state)
    if observation.face is None:
        return _guided(state, framing_guidance(observation))
    return _resting(state, challenge, thresholds, observation.face, now)


def _resting(state: ScriptState, challenge: Challenge, thresholds: CueThresholds, face: FaceView, now: float) -> Step:
    """The head must be straight, and where it was at the last rest or settled; then it holds still for the pause."""
    if not _is_neutral(state, face, thresholds):
        return _guided(replace(state, settling=None), Guidance.LOOK_STRAIGHT)
    if state.opened_at is None:
        return _settling(state, thresholds, face.motion, now)
    if face.motion is None or _apart(face.motion, STILL, thresholds):
        return _opened(state, now)
    if now - state.opened_at >= challenge.pauses[state.index]:
        return _to_cue(state, challenge, now=now)
    return Step(state)


def _settling(state: ScriptState, thresholds: CueThresholds, motion: Motion | None, now: float) -> Step:
    """Open a rest at once where the last one was or nothing is known of it, elsewhere once the head has settled there.

    The last rest's frame may have been taken on the way: whoever looks straight need not come back to it. But whoever
    still does what a cue asks for has not come back at all: landmarks alone tell little of a face that looks down.
    """
    if motion is None or not _apart(motion, STILL, thresholds):
        return _opened(state, now)
    if answers_any(motion, thresholds):
        return _guided(replace(state, settling=None), Guidance.LOOK_STRAIGHT)
    settling = state.settling
    if settling is None or _apart(motion, settling.motion, thresholds):
        settling = Settling(now, motion)
    if now - settling.since >= SETTLED_SECONDS:
        return _opened(state, now)
    return _guided(replace(state, settling=settling), Guidance.LOOK_STRAIGHT)


def _opened(state: ScriptState, now: float) -> Step:
    """The pause of a rest begins, or begins anew: the head has moved, or its points were lost."""
    return _guided(replace(state, opened_at=now, settling=None), Guidance.HOLD_STILL)


def _is_neutral(state: ScriptState, face: FaceView, thresholds: CueThresholds) -> bool:
    """Whether a face looks straight ahead by the person's own measure (landmarks; framing's median)."""
    if state.neutral is None:
        return False
    off_yaw, off_pitch = face.pose.yaw - state.neutral.yaw, face.pose.pitch - state.neutral.pitch
    return max(abs(off_yaw), abs(off_pitch)) <= thresholds.neutral_degrees


def _apart(one: Motion, other: Motion, thresholds: CueThresholds) -> bool:
    """Whether a head has moved from one to the other: more than one that holds still does."""
    turned = max(abs(one.yaw - other.yaw), abs(one.pitch - other.pitch))
    return turned > thresholds.still_degrees or abs(one.scale / other.scale - 1) > thresholds.still_scale


def _cue(
    state: ScriptState,
    challenge: Challenge,
    thresholds: CueThresholds,
    observation: Observation | None,
    now: float,
) -> Step:
    if _cue_is_over(state, now):
        return _end_cue(state, challenge, CueOutcome.TIMED_OUT, now)
    if observation is None or observation.nonce != challenge.nonces[state.index]:
        return Step(state)
    opened = replace(state, opened_at=state.opened_at if state.opened_at is not None else now)
    motion = observation.face.motion if observation.face else None
    if motion is None:
        return Step(opened)
    cue = challenge.cues[state.index]
    reached = extent(cue, motion)
    moved = replace(opened, peak=reached if opened.peak is None else max(opened.peak, reached))
    match judge_motion(cue, motion, thresholds):
        case Answer.NOT_YET:
            return Step(moved)
        case Answer.WRONG:
            return _end_cue(moved, challenge, CueOutcome.WRONG_MOTION, now)
        case Answer.RIGHT:
            return _end_cue(moved, challenge, CueOutcome.ANSWERED, now)


def _cue_is_over(state: ScriptState, now: float) -> bool:
    if state.opened_at is None:
        return now - state.told_at > ECHO_SECONDS
    return now - state.opened_at > CUE_SECONDS


def _end_cue(state: ScriptState, challenge: Challenge, outcome: CueOutcome, now: float) -> Step:
    """An answered cue leads on; any other outcome ends the session: the script is not completed by trying on."""
    answered = outcome is CueOutcome.ANSWERED
    report = CueReport(
        cue=challenge.cues[state.index],
        outcome=outcome,
        asked_at=state.told_at - state.started_at,
        opened_at=None if state.opened_at is None else state.opened_at - state.started_at,
        answered_at=now - state.started_at if answered else None,
        peak=state.peak,
    )
    ended = replace(state, reports=(*state.reports, report))
    if not answered:
        return _finish(ended)
    following = _after_cue(ended, challenge, now)
    return Step(following.state, (Seen(state.index), *following.prompts))


def _after_cue(state: ScriptState, challenge: Challenge, now: float) -> Step:
    answered = len(state.reports)
    if answered == len(challenge.cues):
        return _finish(replace(state, complete=True))
    if answered == CUES_PER_CHALLENGE and challenge.screens:
        return _to_screen(state, challenge, index=0, now=now)
    return _to_rest(state, challenge, answered, now)


def _light(
    state: ScriptState,
    challenge: Challenge,
    thresholds: SignalThresholds,
    observation: Observation | None,
    now: float,
) -> Step:
    """A colour stays for its time and for at least two frames under it; then the next, or what the face answered."""
    if _screen_is_over(state, now):
        return _finish(state)
    if observation is None or observation.nonce != challenge.screens[state.screen].nonce:
        return Step(state)
    opened_at = now if state.opened_at is None else state.opened_at
    seen = observation.face.illumination if observation.face is not None else None
    lit = state.lit if seen is None else (*state.lit, LitFrame(state.screen, seen))
    state = replace(state, opened_at=opened_at, lit=lit, frames=state.frames + 1)
    if now - opened_at < HOLD_SECONDS or state.frames < FRAMES_PER_SCREEN:
        return Step(state)
    if state.screen + 1 < len(challenge.screens):
        return _to_screen(state, challenge, index=state.screen + 1, now=now)
    return _after_light(replace(state, light=measure_light(lit, challenge.colours)), challenge, thresholds, now)


def _screen_is_over(state: ScriptState, now: float) -> bool:
    if state.opened_at is None:
        return now - state.told_at > ECHO_SECONDS
    return now - state.opened_at > SCREEN_SECONDS


def _after_light(state: ScriptState, challenge: Challenge, thresholds: SignalThresholds, now: float) -> Step:
    """Light that says nothing asks for more cues; it never passes by itself."""
    if light_signal(state.light, thresholds).status is Status.INCONCLUSIVE:
        return _to_rest(state, challenge, len(state.reports), now)
    return _finish(replace(state, complete=True))


def _to_screen(state: ScriptState, challenge: Challenge, *, index: int, now: float) -> Step:
    screen = challenge.screens[index]
    state = replace(
        state, phase=Phase.LIGHT, screen=index, told_at=now, opened_at=None, frames=0, peak=None, guidance=None
    )
    prompt = Light(index=index, total=len(challenge.screens), colour=screen.colour, nonce=screen.nonce)
    return Step(state, (prompt,))


def _to_rest(state: ScriptState, challenge: Challenge, index: int, now: float) -> Step:
    state = replace(state, phase=Phase.REST, index=index, told_at=now, opened_at=None, peak=None, guidance=None)
    return Step(state, (Rest(nonce=challenge.rests[index]),))


def _to_cue(state: ScriptState, challenge: Challenge, *, now: float) -> Step:
    index = state.index
    ask = Ask(
        index=index,
        total=len(challenge.cues) if index >= CUES_PER_CHALLENGE else CUES_PER_CHALLENGE,
        cue=challenge.cues[index],
        nonce=challenge.nonces[index],
        seconds=CUE_SECONDS,
    )
    return Step(replace(state, phase=Phase.CUE, told_at=now, opened_at=None, peak=None, guidance=None), (ask,))


def _finish(state: ScriptState) -> Step:
    return Step(replace(state, phase=Phase.DONE), (Done(),))


def _guided(state: ScriptState, guidance: Guidance) -> Step:
    """Guidance is told when it changes."""
    if guidance is state.guidance:
        return Step(state)
    return Step(replace(state, guidance=guidance), (Guide(guidance),))


def _median_pose(poses: tuple[Pose, ...]) -> Pose:
    return Pose(*(median(getattr(pose, angle) for pose in poses) for angle in ("yaw", "pitch", "roll")))


def _not_asked(challenge: Challenge, index: int) -> CueReport:
    return CueReport(
        cue=challenge.cues[index],
        outcome=CueOutcome.NOT_ASKED,
        asked_at=None,
        opened_at=None,
        answered_at=None,
        peak=None,
    )
