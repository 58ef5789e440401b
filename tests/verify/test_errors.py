"""Every code that `verify` can give is provoked by a test, and stands with the family that gives it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from re import findall, fullmatch

from verify import errors

HERE = Path(__file__).parent
ROOT = Path(errors.__file__).parents[1]
CODE = r"[a-z]+(?:_[a-z]+)+"
PACKAGES = ("verify", "api")
FAMILIES = {name: value for name, value in vars(errors).items() if isinstance(value, type) and value.__doc__}


def codes_of(family: type) -> set[str]:
    """The codes that a family's docstring names."""
    named = set(findall(f"`({CODE})`", str(family.__doc__)))
    return named - {"receipt_id", "receipt_ids", "retry_after"}


def given() -> Iterator[tuple[str, str]]:
    """Families, and the literal codes that errors of them are made with."""
    for path in (each for package in PACKAGES for each in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            first = node.args[0]
            if node.func.id in FAMILIES and isinstance(first, ast.Constant) and fullmatch(CODE, str(first.value)):
                yield node.func.id, str(first.value)


def test_every_documented_code_is_provoked() -> None:
    tests = "".join(path.read_text("utf-8") for path in HERE.parent.rglob("test_*.py") if path.name != "test_errors.py")
    codes = {code for family in FAMILIES.values() for code in codes_of(family)}
    assert len(codes) > 40
    assert sorted(code for code in codes if f'"{code}"' not in tests) == []


def test_every_code_stands_with_its_family() -> None:
    found = set(given())
    assert len(found) > 80
    assert sorted(f"{name}: {code}" for name, code in found if code not in codes_of(FAMILIES[name])) == []
