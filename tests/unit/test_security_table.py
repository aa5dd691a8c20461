"""The table of docs/security.md: each row names a defence that is there, and tests that are."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

CODE = re.compile(r"`([^`]+)`")
FILE = re.compile(r"(src/headrace|web/src|requirements|deploy)/[\w./-]+\.\w+")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def rows() -> list[list[str]]:
    """Return the cells of each row, without the head."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@functools.cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def is_there(test: str) -> bool:
    found = TEST.fullmatch(test)
    return found is not None and (ROOT / found[1]).is_file() and found[2] in names_in(ROOT / found[1])


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_row_has_a_defence_and_tests_that_are_there(row: list[str]) -> None:
    assert len(row) == 3
    happened, defence, tests = row
    assert happened
    files = [one for one in CODE.findall(defence) if "/" in one]
    assert files
    assert [one for one in files if not (FILE.fullmatch(one) and (ROOT / one).is_file())] == []
    named = CODE.findall(tests)
    assert named
    assert ", ".join(f"`{each}`" for each in named) == tests
    assert [each for each in named if not is_there(each)] == []


def test_each_thing_that_happened_has_one_row() -> None:
    first = [row[0] for row in rows()]
    assert len(first) == len(set(first)) >= 30


def test_a_test_that_is_not_there_would_be_noticed() -> None:
    here = "tests/unit/test_security_table.py"
    assert is_there(f"{here}::test_a_test_that_is_not_there_would_be_noticed")
    assert not is_there(f"{here}::test_that_is_not_there")
    assert not is_there(f"{here}::is_there")
    assert not is_there("tests/unit/test_nowhere.py::test_a_test_that_is_not_there_would_be_noticed")
