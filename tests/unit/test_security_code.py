"""What the code may not do at all, whatever is sent to it: no code out of text, no shell, no statement out of pieces."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.compiled import FOLDER

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headrace"
MODULES = sorted(SOURCE.rglob("*.py"))

EVALUATES = {"eval", "exec", "compile", "__import__"}
LOADS_CODE = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "yaml",
    "jinja2",
    "mako",
    "ctypes",
    "cffi",
    "codeop",
}
STATEMENTS = {"execute", "executemany", "executescript", "exec_driver_sql", "text", "literal_column"}
RUNS = {"create_subprocess_exec", "Popen", "run", "call", "check_call", "check_output"}

# who starts a process, each with words of its own
STARTERS = {
    "app/bench/processes.py",  # the measurement: servers of its own, by an operator's command
    "providers/embedded_engine.py",  # the built-in engine
    "store/revisions.py",  # our own migrations
}

# the first version without each hole: Range (CVE-2025-62727), form data (CVE-2025-54121), text/plain (CVE-2021-32677),
# log and header injection (CVE-2020-7694, CVE-2020-7695), chunks (CVE-2025-43859), redirects and smuggling (aiohttp)
FLOORS = {
    "starlette": (0, 49, 1),
    "fastapi": (0, 65, 2),
    "uvicorn": (0, 11, 7),
    "h11": (0, 16, 0),
    "aiohttp": (3, 13, 3),
    "httptools": (0, 6, 0),
}

# beside code: what modules read at run time
SUFFIXES = {".py", ".typed", ".sql", ".gguf", ".json", ".html", ".css", ".js", ".mako", ".txt", ".md"}
PAGE_SUFFIXES = {".html", ".css", ".js", ".svg", ".gz", ".txt"}


@functools.cache
def nodes() -> list[tuple[str, ast.Call | ast.Import | ast.ImportFrom]]:
    return [
        (path.relative_to(SOURCE).as_posix(), node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
    ]


def calls() -> Iterator[tuple[str, ast.Call]]:
    yield from ((where, node) for where, node in nodes() if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """Return the last name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def imported() -> Iterator[tuple[str, str]]:
    for where, node in nodes():
        if isinstance(node, ast.Import):
            yield from ((where, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield where, node.module or ""


def is_made(node: ast.AST) -> bool:
    """Return whether a text is put together: an f-string with something in it, `+`, `%`, `format`, `join`."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(value, ast.FormattedValue) for value in node.values)
    if isinstance(node, ast.BinOp):
        return True
    return isinstance(node, ast.Call) and called(node) in {"format", "join", "format_map"}


def test_nothing_makes_code_of_text() -> None:
    found = {(where, called(call)) for where, call in calls() if isinstance(call.func, ast.Name)}
    assert {(where, name) for where, name in found if name in EVALUATES} == set()


def test_nothing_loads_what_could_be_code() -> None:
    assert {(where, name) for where, name in imported() if name.partition(".")[0] in LOADS_CODE} == set()


def test_processes_are_started_in_three_places_and_never_by_a_shell() -> None:
    starters = {where for where, name in imported() if name.partition(".")[0] == "subprocess"}
    starters |= {where for where, call in calls() if called(call) in {"create_subprocess_exec", "Popen"}}
    assert starters == STARTERS
    shells = {"create_subprocess_shell", "system", "popen", "getoutput", "spawnv", "execv", "execvp", "startfile"}
    assert [(where, called(call)) for where, call in calls() if called(call) in shells] == []
    for where, call in calls():
        if where in STARTERS and called(call) in RUNS:
            assert "shell" not in {keyword.arg for keyword in call.keywords}, where


def test_no_statement_is_put_together_from_pieces() -> None:
    askers = {where for where, name in imported() if name.partition(".")[0] in {"sqlalchemy", "sqlite3"}}
    assert len(askers) > 10
    found = [
        (where, ast.unparse(call.args[0]))
        for where, call in calls()
        if where in askers and called(call) in STATEMENTS and call.args and is_made(call.args[0])
    ]
    # SQLite takes no parameters there; what is put in are words of our own, and one of two that the settings choose
    assert found == [("journal/files.py", "f'PRAGMA synchronous = {sync}'"), ("store/sqlite.py", "f'PRAGMA {pragma}'")]


def test_no_archive_is_unpacked_by_the_names_in_it() -> None:
    readers = {where for where, name in imported() if name in {"tarfile", "zipfile"}}
    assert readers == {"app/archive.py", "app/imports.py"}
    found = {(where, called(call)) for where, call in calls()}
    assert {(where, name) for where, name in found if name in {"extractall", "unpack_archive"}} == set()
    assert {(where, name) for where, name in found if name == "extract" and where in readers} == set()


def test_what_is_shipped_is_code_and_what_it_reads() -> None:
    files = [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    page = {path for path in files if path.is_relative_to(SOURCE / "doors" / "page" / "dist")}
    compiled = {path for path in files if path.is_relative_to(FOLDER)}  # by `make`, from what is here
    assert {path.suffix for path in files if path not in page | compiled} - SUFFIXES == set()
    assert {path.suffix for path in compiled} - {".so", ".txt"} == set()
    assert {path.suffix for path in page} - PAGE_SUFFIXES == set()
    assert [path for path in (ROOT / "src").iterdir() if path.name not in {"headrace", "__pycache__"}] == []
    # what Python would run by itself at every start
    assert [path for path in files if path.name in {"sitecustomize.py", "usercustomize.py"}] == []


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_no_version_with_a_known_hole_is_locked(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    locked = {
        name: tuple(map(int, version.split(".")))
        for name, version in re.findall(r"^([\w.-]+)==([\d.]+)", text, re.MULTILINE)
    }
    assert {name: locked[name] for name, floor in FLOORS.items() if locked[name] < floor} == {}
    # forms are nowhere taken, so that what takes them apart is not there
    assert "python-multipart" not in locked
