"""What a person reads and confirms before the camera opens: consent, and the statement of intent.

Both are rendered here from structured fields, never from free text of a client, in Chinese and English; their SHA-256
goes into the consent record, the verification, the token and the receipt.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from string import Formatter

from verify.actions import ACTIONS, ROLES
from verify.amounts import grouped
from verify.casefile import Case, Language, Money, Subject, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One text in both languages."""

    version: str
    zh: str
    en: str

    def sha256(self, language: Language) -> str:
        """Hexadecimal SHA-256 of the text's UTF-8 in one language."""
        return sha256((self.zh if language == "zh" else self.en).encode()).hexdigest()


def _load_consents() -> dict[str, Statement]:
    content = tomllib.loads(files("verify").joinpath("consent_texts.toml").read_text("utf-8"))
    return {version: Statement(version=version, zh=texts["zh"], en=texts["en"]) for version, texts in content.items()}


CONSENTS: dict[str, Statement] = _load_consents()
"""Every text of consent that was ever in force, by version; the last is."""

CONSENT = list(CONSENTS.values())[-1]

_BEFORE_FULL_WIDTH = frozenset(("2026-11", "2026-11.2"))
"""Versions whose statements of intent have half-width marks in Chinese, and the digest in the first sentence."""

_HALF_WIDTH = str.maketrans("，：；（）", ",:;()")


def intent_statement(case: Case, subject: Subject, *, version: str = CONSENT.version) -> Statement:
    """What the person says by verifying: in which role and for whom, to what; every field that was given is in it.

    The document's digest is on a line of its own, the last: nobody reads on behind 64 digits.
    """
    early = version in _BEFORE_FULL_WIDTH
    zh, en = zip(*_sentences(case, subject, early=early), strict=True)
    end_zh, end_en = ("", "") if early else _digest(case)
    return Statement(version=version, zh="".join(zh) + end_zh, en=" ".join(en) + end_en)


def intent_sha256(case: Case, subject: Subject) -> str:
    """One hash over both languages: which one was read does not change what was meant."""
    return _over_both(intent_statement(case, subject))


def confirmed_statement(case: Case, subject: Subject, sha256_then: str | None) -> Statement:
    """The statement as it was confirmed: that of the version to which a record's hash belongs, else of the last."""
    versions = (intent_statement(case, subject, version=version) for version in reversed(CONSENTS))
    found = (statement for statement in versions if _over_both(statement) == sha256_then)
    return next(found, intent_statement(case, subject))


def _over_both(statement: Statement) -> str:
    return sha256(f"{statement.zh}\n{statement.en}".encode()).hexdigest()


def _digest(case: Case) -> Words:
    return f"\n文件摘要（SHA-256）：{case.document_sha256}", f"\nDocument digest (SHA-256): {case.document_sha256}"


def _sentences(case: Case, subject: Subject, *, early: bool) -> Iterator[Words]:
    """The confirmation, what is agreed to if there are words for it, and the fields that are not in those."""
    fill = _filled_early if early else str.format
    role = subject.role_words or ROLES[subject.role]
    voice = _voice(subject, role, fill)
    yield _confirmation(case, voice, fill, digest=early)
    facts = _facts(case, subject)
    agreement = _agreement(case.action, subject.role, facts)
    if agreement is not None:
        values = {"role": role, **facts}
        zh, en = (fill(agreement[side], **{name: words[side] for name, words in values.items()}) for side in (0, 1))
        yield f"{voice.who[0]}同意{zh}。", f"{voice.who[1]} to {en}."
    rest = [name for name in facts if agreement is None or name not in _fields(agreement)]
    if rest:
        zh, en = (
            fill(_PUNCTUATION[side]).join(f"{_LABELS[name][side]}{facts[name][side]}" for name in rest)
            for side in (0, 1)
        )
        yield fill("所填事项：{zh}。", zh=zh), f"Particulars: {en}."


Fill = Callable[..., str]
"""Fills a template with values; the marks of the template are set, those of the values are left."""


def _filled_early(template: str, **values: str) -> str:
    return template.translate(_HALF_WIDTH).format(**values)


@dataclass(frozen=True, slots=True)
class _Voice:
    """How a person speaks: for themselves, for an organisation or for a principal."""

    opening: Words
    will: Words
    who: Words


def _voice(subject: Subject, role: Words, fill: Fill) -> _Voice:
    (zh, en), behalf = role, subject.on_behalf_of
    if behalf is None:
        return _Voice((f"我以{zh}身份", f"As {en} I"), ("本人", "my"), ("本人", "I agree"))
    if behalf.kind == "organisation":
        opening = (
            fill("我代表{role}“{name}”（统一社会信用代码 {id}）", role=zh, name=behalf.name, id=behalf.id),
            f"On behalf of {en} “{behalf.name}” (unified social credit code {behalf.id}) I",
        )
        return _Voice(opening, ("该组织", "its"), ("该组织", "It agrees"))
    opening = (
        fill("我受{role}{name}委托（授权编号 {id}）", role=zh, name=behalf.name, id=behalf.id),
        f"On behalf of {en} {behalf.name} (appointment {behalf.id}) I",
    )
    return _Voice(opening, ("委托人", "the principal's"), ("委托人", "The principal agrees"))


def _confirmation(case: Case, voice: _Voice, fill: Fill, *, digest: bool) -> Words:
    zh, en = _action_words(case, fill)
    if digest:
        zh, en = f"{zh}事项(文件摘要 {case.document_sha256})", f"{en} (document digest {case.document_sha256})"
    else:
        zh = f"{zh}事项"
    return (
        fill(
            "{opening}，就{zh}确认{will}真实意愿，并同意提交登记。", opening=voice.opening[0], zh=zh, will=voice.will[0]
        ),
        f"{voice.opening[1]} confirm {voice.will[1]} true intention to {en} and agree to its filing.",
    )


def _action_words(case: Case, fill: Fill) -> Words:
    """The words of the law, or the client's in quotation marks and as the client's."""
    if case.action_words is None:
        action = ACTIONS[case.action]
        return f"“{action.zh}”", action.en
    zh, en = case.action_words
    return fill(
        "“{zh}”（由{client}描述）", zh=zh, client=case.client_name
    ), f"do what {case.client_name} describes as “{en}”"


def _facts(case: Case, subject: Subject) -> dict[str, Words]:
    """The fields that were given, as they are read."""
    details, capital, behalf = case.details, case.details.registered_capital, subject.on_behalf_of
    share = subject.share_percent if behalf is None else behalf.share_percent or subject.share_percent
    facts: dict[str, Words | None] = {
        "company_name": _quoted(details.company_name),
        "registered_capital": None if capital is None else _sum(capital),
        "counterparty": _quoted(details.counterparty),
        "share_percent": None if share is None else (f"{share}%", f"{share} %"),
    }
    return {name: words for name, words in facts.items() if words is not None}


def _quoted(text: str | None) -> Words | None:
    return None if text is None else (f"“{text}”", f"“{text}”")


def _sum(money: Money) -> Words:
    text = f"{money.currency} {grouped(money.amount)}"
    return (f"人民币{grouped(money.amount)}元" if money.currency == "CNY" else text), text


def _agreement(action: str, role: str, facts: Mapping[str, Words]) -> Words | None:
    """The first words whose fields were all given: those of the role before those of everybody."""
    candidates = (*_AGREEMENTS.get((action, role), ()), *_AGREEMENTS.get((action, ""), ()))
    return next((words for words in candidates if _fields(words) <= {"role", *facts}), None)


def _fields(words: Words) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(words[1]) if name}


_PUNCTUATION: Words = ("；", "; ")
_LABELS: Mapping[str, Words] = {
    "company_name": ("公司名称", "company "),
    "registered_capital": ("注册资本", "registered capital "),
    "counterparty": ("交易对方", "counterparty "),
    "share_percent": ("持股比例", "share "),
}
_AGREEMENTS: Mapping[tuple[str, str], tuple[Words, ...]] = {
    ("company.establish", "shareholder"): (
        (
            "成为{company_name}的股东，持股比例为{share_percent}",
            "become a shareholder of {company_name} with {share_percent}",
        ),
        ("成为{company_name}的股东", "become a shareholder of {company_name}"),
    ),
    ("company.establish", "agent"): (
        ("代理{company_name}的设立登记", "act as agent for the registration of {company_name}"),
    ),
    ("company.establish", ""): (("担任{company_name}的{role}", "serve as {role} of {company_name}"),),
    ("capital.increase", "shareholder"): (
        (
            "将{company_name}的注册资本增加至{registered_capital}，增资后持股比例为{share_percent}",
            "increase the registered capital of {company_name} to {registered_capital} and to hold {share_percent}",
        ),
    ),
    ("capital.increase", ""): (
        (
            "将{company_name}的注册资本增加至{registered_capital}",
            "increase the registered capital of {company_name} to {registered_capital}",
        ),
    ),
    ("share.transfer", "shareholder"): (
        (
            "与{counterparty}转让{company_name}的股权，转让后持股比例为{share_percent}",
            "transfer shares of {company_name} with {counterparty} and to hold {share_percent} afterwards",
        ),
        ("与{counterparty}转让{company_name}的股权", "transfer shares of {company_name} with {counterparty}"),
    ),
    ("company.change", ""): (("变更{company_name}的登记事项", "change the registration of {company_name}"),),
    ("company.cancel", ""): (("注销{company_name}", "cancel {company_name}"),),
}
"""By action and role ("" for all others), the fullest first: what is agreed to, after "agree to"."""
