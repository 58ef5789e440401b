"""Every code that `verify` can give is provoked by a test."""

from pathlib import Path
from re import findall

from verify import errors

HERE = Path(__file__).parent


def codes() -> set[str]:
    families = [value for value in vars(errors).values() if isinstance(value, type) and value.__doc__]
    named = {code for family in families for code in findall(r"`([a-z]+(?:_[a-z]+)+)`", str(family.__doc__))}
    return named - {"receipt_id", "receipt_ids", "retry_after"}


def test_every_documented_code_is_provoked() -> None:
    tests = "".join(path.read_text("utf-8") for path in HERE.parent.rglob("test_*.py") if path.name != "test_errors.py")
    assert len(codes()) > 40
    assert sorted(code for code in codes() if f'"{code}"' not in tests) == []
