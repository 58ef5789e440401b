"""The attack range: every species by name, and bona fide people under all kinds of conditions, on one frozen policy."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from benchmarks.attacks.catalogue import NONE, SPECIES, Species
from benchmarks.held_out.camera import OtherCamera
from benchmarks.outcome_file import OutcomeFile, key_of
from benchmarks.people_split import person_of
from benchmarks.phone.camera import Camera
from benchmarks.phone.network import SLOW
from benchmarks.real_time import Witnessed
from benchmarks.trials import BONA_FIDE, Outcome, Trial, as_played, judged, run_trials
from verify.decision import Accepted, Decision, Referred, Rejected, Retry
from verify.policy import load_policy

CONFIDENCE = 0.95
UNGUARDED_SHARE = 0.13
"""Attempts, as a share of all, that are made again with the countermeasure switched off."""
ALLOWANCE_SHARE = 0.1
"""People, as a share of the attempts, on whom all three attempts of a link are spent; the later two without light."""
LATER_ATTEMPTS = 2

CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "ordinary": {},
    "poor light": {"camera": Camera(gain=0.45, noise=7.0), "room_lux": 40.0},
    "bright daylight": {"room_lux": 8000.0},
    "5 frames a second": {"frames_per_second": 5.0},
    "shaky hands": {"unrest": 3.0},
    "glasses": {"glasses": True},
    "60 % JPEG": {"camera": Camera(jpeg_quality=60)},
    "bad network": {"network": replace(SLOW, loss=0.03)},
    "no light cues": {"light": False},
    "another camera": {
        "camera": Camera(
            noise=1.5,
            jpeg_quality=90,
            exposure_share=0.95,
            white_balance_share=0.9,
            adapts_seconds=0.25,
            contrast=0.3,
            fine_colour=True,
        )
    },
}
"""What bona fide people are tried under; each takes its turn."""
HELD_OUT_CAMERA = OtherCamera()
HELD_OUT_SHARE = 0.2
"""Bona fide sessions before the camera that no line was set on, as a share of the others; counted apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many of how many."""

    attempts: int = 0
    passes: int = 0

    @property
    def share(self) -> float:
        """Passes of attempts; NaN without any."""
        return self.passes / self.attempts if self.attempts else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of one species, or of bona fide people. `people`: how many different ones."""

    attempts: int
    people: int
    passes: int
    reasons: Mapping[str, int]
    without_light: Tally = Tally()
    """Attempts that opted out of light cues."""
    allowance: Tally = Tally()
    """People on whom three attempts were spent, and how many of them were passed for."""
    unguarded: Tally = Tally()
    """Attempts with the countermeasure that is for it switched off."""
    real_time: Tally = Tally()
    """Attempts over the network (`benchmarks.real_time`)."""

    @property
    def share(self) -> float:
        """IAPAR of an attack; of bona fide people 1 - BPCER."""
        return self.passes / self.attempts

    @property
    def upper(self) -> float:
        """Upper end of the 95 % interval of `share`."""
        return _upper(self.passes, self.attempts, self.people)

    @property
    def rejected_upper(self) -> float:
        """Upper end of the 95 % interval of 1 - `share`: of BPCER."""
        return _upper(self.attempts - self.passes, self.attempts, self.people)


def attack_trials(species: Species, photos: Sequence[Path], *, attempts: int, seed: int) -> list[Trial]:
    """One attempt after another, each with the next face; the attacker is the face after.

    Then the first people again, twice, without light; and some attempts again, unguarded.
    """
    first = [_attack(species, photos, place, seed=seed + place) for place in range(attempts)]
    people = min(max(1, round(ALLOWANCE_SHARE * attempts)), len(photos))
    later = [
        replace(first[place], seed=seed + attempts * number + place, light=False)
        for number in range(1, LATER_ATTEMPTS + 1)
        for place in range(people)
    ]
    if species.countermeasure == NONE:
        return [*first, *later]
    again = first[: max(1, round(UNGUARDED_SHARE * attempts))]
    return [*first, *later, *(replace(trial, unguarded=True) for trial in again)]


def bona_fide_trials(photos: Sequence[Path], *, attempts: int, seed: int) -> list[Trial]:
    """The conditions take turns over the faces."""
    conditions = list(CONDITIONS.values())
    return [
        Trial(
            photo=photos[place % len(photos)],
            species=BONA_FIDE,
            seed=seed + place,
            **conditions[place % len(conditions)],
        )
        for place in range(attempts)
    ]


def held_out_trials(photos: Sequence[Path], *, attempts: int, seed: int) -> list[Trial]:
    """Bona fide people before the held-out camera: a share of `attempts`."""
    count = max(1, round(HELD_OUT_SHARE * attempts))
    return [
        Trial(photo=photos[place % len(photos)], species=BONA_FIDE, seed=seed + place, camera=HELD_OUT_CAMERA)
        for place in range(count)
    ]


def run_all(trials: Sequence[Trial], *, kept: OutcomeFile | None, advance: Callable[[], object]) -> list[Outcome]:
    """Run trials; `advance` after each. What `kept` knows already is not run again, what is new is added to it.

    Raises:
        OutcomeFileError: `kept` holds other outcomes.
    """
    known = kept.known() if kept is not None else {}
    played = {key_of(as_played(trial)): as_played(trial) for trial in trials}
    new = [trial for key, trial in played.items() if key not in known]
    for _ in range(len(trials) - len(new)):
        advance()
    for outcome in run_trials(new):
        known[key_of(outcome.trial)] = outcome.evidence
        if kept is not None:
            kept.add(outcome)
        advance()
    policy = load_policy()
    return [judged(trial, known[key_of(as_played(trial))], policy) for trial in trials]


def figures(outcomes: Sequence[Outcome], *, genuine: bool = False) -> Figures:
    """Count what came of trials of one species, or of bona fide people (`genuine`), who all count alike."""
    guarded = [outcome for outcome in outcomes if not outcome.trial.unguarded]
    first = [outcome for outcome in guarded if genuine or outcome.trial.light]
    later = [outcome for outcome in guarded if not outcome.trial.light and not genuine]
    return Figures(
        attempts=len(first),
        people=len({person_of(outcome.trial.photo) for outcome in first}),
        passes=_passes(first),
        reasons=Counter(reason_of(outcome.decision) for outcome in first),
        without_light=_tally(later),
        allowance=_allowance(guarded, {outcome.trial.photo for outcome in later}),
        unguarded=_tally([outcome for outcome in outcomes if outcome.trial.unguarded]),
    )


def with_real_time(measured: Mapping[str, Figures], witnessed: Sequence[Witnessed]) -> dict[str, Figures]:
    """The figures, each with what was seen of its species in real time."""
    return {name: replace(each, real_time=_seen(name, witnessed)) for name, each in measured.items()}


def _seen(species: str, witnessed: Sequence[Witnessed]) -> Tally:
    own = [each for each in witnessed if each.trial.species == species]
    return Tally(attempts=len(own), passes=sum(each.outcome == "accepted" for each in own))


def _passes(outcomes: Iterable[Outcome]) -> int:
    return sum(isinstance(outcome.decision, Accepted) for outcome in outcomes)


def _tally(outcomes: Sequence[Outcome]) -> Tally:
    return Tally(attempts=len(outcomes), passes=_passes(outcomes))


def _allowance(outcomes: Sequence[Outcome], photos: Set[Path]) -> Tally:
    """People on whom all attempts of a link were spent: the first one, and those after it."""
    passed = [any(isinstance(each.decision, Accepted) for each in _first_three(outcomes, photo)) for photo in photos]
    return Tally(attempts=len(passed), passes=sum(passed))


def _first_three(outcomes: Sequence[Outcome], photo: Path) -> list[Outcome]:
    own = [outcome for outcome in outcomes if outcome.trial.photo == photo]
    lit = [outcome for outcome in own if outcome.trial.light]
    return [*lit[:1], *(outcome for outcome in own if not outcome.trial.light)]


def _attack(species: Species, photos: Sequence[Path], place: int, *, seed: int) -> Trial:
    count = len(photos)
    return Trial(photo=photos[place % count], other=photos[(place + 1) % count], species=species.name, seed=seed)


def reason_of(decision: Decision) -> str:
    """What decided, in a word or two."""
    match decision:
        case Accepted():
            return "accepted"
        case Rejected(reason, signal) | Referred(reason, signal):
            return f"{reason.value} ({signal})" if signal else reason.value
        case Retry(reason):
            return reason.value


def _upper(count: int, attempts: int, people: int) -> float:
    """Clopper-Pearson (Biometrika 26, 1934) on people, not attempts: those of one person are not independent."""
    scaled = min(people, round(count * people / attempts) if count else 0)
    scaled = max(scaled, 1) if count else 0
    return float(binomtest(scaled, people).proportion_ci(CONFIDENCE, method="exact").high)


def chosen(names: Sequence[str]) -> tuple[Species, ...]:
    """The species of these names, or all."""
    return tuple(SPECIES[name] for name in names) if names else tuple(SPECIES.values())
