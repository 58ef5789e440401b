"""Text that a client enters and a person reads: one line that cannot pretend to be anything else.

Letters of any script, their marks, digits, single spaces and a few signs. Everything that could imitate other text is
refused: control and format characters (also those that turn the direction of writing), line breaks, quotation marks
(ours mark where a client's text ends) and signs of which look-alikes exist.
"""

from unicodedata import category, normalize

from verify.errors import Invalid

SIGNS = frozenset(" ()（）·・-&'’.,，、/+")
CATEGORIES = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"))
LONGEST_PERSON = 100
"""Characters of a person's name."""
MOST_MARKS = 3
"""Combining marks in a row; more are no spelling but stacks that cover other lines."""


def check_text(text: str, *, field: str, longest: int) -> str:
    """The text in Unicode's composed form (NFC).

    Raises:
        Invalid: `text_invalid`; names the field and what is wrong, never the text.
    """
    composed = normalize("NFC", text)
    if not 1 <= len(composed) <= longest:
        raise _invalid(field, f"has 1 to {longest} characters")
    if composed != composed.strip(" ") or "  " in composed:
        raise _invalid(field, "has no spaces at its ends, and no two in a row")
    if any(character not in SIGNS and category(character) not in CATEGORIES for character in composed):
        raise _invalid(field, f"is one line of letters, digits and the signs {' '.join(sorted(SIGNS - {' '}))}")
    if _stacked(composed):
        raise _invalid(field, f"has at most {MOST_MARKS} combining marks in a row, after a letter")
    return composed


def _stacked(text: str) -> bool:
    marks = "".join("m" if category(character) in {"Mn", "Mc"} else "." for character in text)
    return marks.startswith("m") or "m" * (MOST_MARKS + 1) in marks


def _invalid(field: str, rule: str) -> Invalid:
    return Invalid("text_invalid", f"{field} {rule}")
