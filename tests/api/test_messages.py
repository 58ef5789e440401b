import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import StreamError
from api.messages import (
    AbortMessage,
    ClaimMessage,
    ResumeMessage,
    parse_message,
    problem_message,
    prompt_message,
    result_message,
)
from liveness.challenge import EVERYTHING, Accommodation, Cue, Repertoire
from liveness.colours import Colour
from liveness.prompts import Ask, Done, Guidance, Guide, Light, Rest, Seen


def test_phone_messages_are_read() -> None:
    assert parse_message('{"type":"claim","secret":"s"}') == ClaimMessage(type="claim", secret="s")
    assert parse_message('{"type":"resume","secret":"s"}') == ResumeMessage(type="resume", secret="s")
    assert parse_message('{"type":"abort"}') == AbortMessage(type="abort")


@pytest.mark.parametrize(
    ("fields", "accommodation"),
    [
        ("", EVERYTHING),
        (',"light":false', Accommodation(light=False)),
        (',"motions":"without_turns"', Accommodation(repertoire=Repertoire.WITHOUT_TURNS)),
    ],
)
def test_a_claim_says_what_to_leave_out(fields: str, accommodation: Accommodation) -> None:
    message = parse_message('{"type":"claim","secret":"s"' + fields + "}")
    assert isinstance(message, ClaimMessage)
    assert message.accommodation == accommodation


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"type":"cheat"}', "message_unknown"),
        ("{}", "message_unknown"),
        ("[]", "message_malformed"),
        ("not json", "message_malformed"),
        ('{"type":"claim"}', "message_malformed"),
        ('{"type":"claim","secret":7}', "message_malformed"),
        ('{"type":"abort","why":"x"}', "message_malformed"),
        ('{"type":"claim","secret":"s","light":"no"}', "message_malformed"),
        ('{"type":"claim","secret":"s","motions":"none"}', "message_malformed"),
        ('{"type":"abort"}' + " " * 5000, "message_malformed"),
    ],
)
def test_anything_else_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(StreamError) as caught:
        parse_message(text)
    assert caught.value.code == code


@given(st.text(max_size=80))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    with pytest.raises(StreamError) as caught:
        parse_message(text)
    assert caught.value.code in {"message_unknown", "message_malformed"}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Guide(Guidance.CLOSER), {"type": "guide", "code": "closer"}),
        (Rest(nonce="0000000a"), {"type": "rest", "nonce": "0000000a"}),
        (
            Ask(index=1, total=4, cue=Cue.TURN_LEFT, nonce="0000000b", seconds=6.0),
            {"type": "ask", "index": 1, "total": 4, "cue": "turn_left", "nonce": "0000000b", "seconds": 6.0},
        ),
        (
            Light(index=2, total=8, colour=Colour(48, 255, 255), nonce="0000000c"),
            {"type": "light", "index": 2, "total": 8, "colour": "#30ffff", "nonce": "0000000c"},
        ),
        (Seen(1), {"type": "seen", "index": 1}),
        (Done(), {"type": "done"}),
    ],
)
def test_every_prompt_has_its_message(prompt: Guide | Rest | Ask | Seen | Done, message: dict[str, object]) -> None:
    assert prompt_message(prompt) == message


def test_last_messages() -> None:
    assert result_message(outcome="rejected", reason="not_verified", attempts_left=2) == {
        "type": "result",
        "outcome": "rejected",
        "reason": "not_verified",
        "attempts_left": 2,
    }
    assert "retry_after" not in problem_message("message_unknown", "detail")
    assert problem_message("overloaded", "detail", 5.0)["retry_after"] == 5.0
