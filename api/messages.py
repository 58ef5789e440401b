"""The text messages of the capture protocol `heyan.capture.v1`: JSON objects with a `type`. See docs/stream.md."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.errors import StreamError
from liveness.challenge import Accommodation, Repertoire
from liveness.prompts import Ask, Done, Guide, Light, Prompt, Rest, Seen

SUBPROTOCOL = "heyan.capture.v1"

MAX_TEXT = 4096
"""Characters of a text message of the phone; the longest legal one has some 150."""

Message = dict[str, Any]


class _PhoneMessage(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ClaimMessage(_PhoneMessage):
    """First message of a session: burns the challenge."""

    type: Literal["claim"]
    secret: Annotated[str, Field(max_length=512)]
    light: bool = True
    """False: no light cues, for photosensitive people; more motions are asked instead."""
    motions: Literal["all", "without_turns"] = "all"
    """`without_turns`: for people who cannot turn their head; the light must be answered then."""

    @property
    def accommodation(self) -> Accommodation:
        """What the challenge is to leave out."""
        return Accommodation(light=self.light, repertoire=Repertoire(self.motions))


class ResumeMessage(_PhoneMessage):
    """First message after a dropped connection, once a session."""

    type: Literal["resume"]
    secret: Annotated[str, Field(max_length=512)]


class AbortMessage(_PhoneMessage):
    """The person gives up; the attempt is spent."""

    type: Literal["abort"]


PhoneMessage = ClaimMessage | ResumeMessage | AbortMessage

_READER: TypeAdapter[PhoneMessage] = TypeAdapter(Annotated[PhoneMessage, Field(discriminator="type")])

_UNKNOWN = frozenset({"union_tag_invalid", "union_tag_not_found"})


def parse_message(text: str) -> PhoneMessage:
    """Read a text message of the phone.

    Raises:
        StreamError: `message_unknown` for a type that the protocol does not have, `message_malformed` for anything else
            that is no message of it.
    """
    if len(text) > MAX_TEXT:
        raise StreamError("message_malformed", f"a text message may have {MAX_TEXT} characters")
    try:
        return _READER.validate_json(text)
    except ValidationError as error:
        kinds = {problem["type"] for problem in error.errors(include_input=False)}
    if kinds & _UNKNOWN:
        raise StreamError(
            "message_unknown", "the protocol has the messages 'claim', 'resume' and 'abort'; see docs/stream.md"
        )
    raise StreamError(
        "message_malformed", "the message is no JSON object with the fields of its type; see docs/stream.md"
    )


def prompt_message(prompt: Prompt) -> Message:
    """What the phone is told for a prompt."""
    match prompt:
        case Guide(code):
            return {"type": "guide", "code": str(code)}
        case Rest(nonce=nonce):
            return {"type": "rest", "nonce": nonce}
        case Ask(index=index, total=total, cue=cue, nonce=nonce, seconds=seconds):
            asked = {"type": "ask", "index": index, "total": total, "cue": str(cue)}
            return {**asked, "nonce": nonce, "seconds": seconds}
        case Light(index=index, total=total, colour=colour, nonce=nonce):
            return {"type": "light", "index": index, "total": total, "colour": colour.hex, "nonce": nonce}
        case Seen(index):
            return {"type": "seen", "index": index}
        case Done():
            return {"type": "done"}


def problem_message(code: str, detail: str, retry_after: float | None = None) -> Message:
    """The last message before the service closes the connection because of an error."""
    message: Message = {"type": "problem", "code": code, "detail": detail}
    return message if retry_after is None else {**message, "retry_after": retry_after}


def result_message(*, outcome: str, reason: str | None, attempts_left: int) -> Message:
    """How the session ended: pass or fail and a public reason code, never a score."""
    return {"type": "result", "outcome": outcome, "reason": reason, "attempts_left": attempts_left}
