"""The words of messages: templates in `message_texts.toml`, filled from a case. Of a person only the masked name is in
them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from string import Template

import msgspec

from verify.actions import ACTIONS
from verify.casefile import Case, Language, Message, Subject, Words
from verify.identity_documents import CIVIL_TIME

OWN_ACTION: Words = ("登记事项", "confirm a registration matter")
"""What stands for an action that a client has registered; the page that the link opens shows its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One kind of message in one language."""

    subject: str
    sms: str
    email: str


def load_texts() -> Mapping[str, Mapping[str, Texts]]:
    """All texts, by language and kind."""
    content = files("verify").joinpath("message_texts.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(content), dict[str, dict[str, Texts]])


TEXTS = load_texts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it goes out. `id` is the same for every attempt, so that who receives it can tell."""

    id: str
    to: str = field(repr=False)
    language: Language
    subject: str
    text: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    """What the text was made of, for gateways that have the text themselves: `kind`, `name`, `requester`, `action`,
    `link`, `until`."""


def letter(case: Case, subject: Subject, message: Message, *, to: str, link: str, until: float) -> Letter:
    """A message of a case in its language. `until`: Unix seconds at which the link ends."""
    fields = {
        "kind": message.kind.value,
        "name": subject.name_masked,
        "requester": case.client_name,
        "action": _action(case, message.language),
        "link": link,
        "until": civil_minute(until, message.language),
    }
    texts = TEXTS[message.language][message.kind.value]
    text = texts.sms if message.channel == "sms" else texts.email
    return Letter(
        id=message.id,
        to=to,
        language=message.language,
        subject=Template(texts.subject).substitute(fields),
        text=Template(text).substitute(fields).strip(),
        fields=fields,
    )


def civil_minute(at: float, language: Language) -> str:
    """A time (Unix seconds) in China, as people read it."""
    local = datetime.fromtimestamp(at, CIVIL_TIME)
    clock = f"{local:%H:%M}"
    if language == "zh":
        return f"{local.year}年{local.month}月{local.day}日{clock}（北京时间）"
    return f"{local:%Y-%m-%d} {clock} (UTC+8)"


def _action(case: Case, language: Language) -> str:
    """The words of the law. A client's own are left out: a phone would turn any address in them into a link."""
    statutory = ACTIONS.get(case.action)
    words = OWN_ACTION if statutory is None else (statutory.zh, statutory.en)
    return words[0] if language == "zh" else words[1]
