"""The compiled path of a token is imported where it is of these sources, and only there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from headrace import compiled

ROOT = Path(__file__).parents[2]
_STAMP = compiled.FOLDER / compiled.STAMP
FRESH = _STAMP.is_file() and _STAMP.read_text() == compiled.digest()


@pytest.fixture(autouse=True)
def finders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the import system as it was, and the environment's own wish aside."""
    monkeypatch.delenv("HEADRACE_COMPILED", raising=False)
    before = list(sys.meta_path)
    yield
    sys.meta_path[:] = before


def stamped(folder: Path, digest: str) -> Path:
    (folder / compiled.STAMP).write_text(digest)
    return folder


def test_what_was_made_of_these_sources_is_imported(tmp_path: Path) -> None:
    assert compiled.enable(stamped(tmp_path, compiled.digest()))
    specs = [sys.meta_path[0].find_spec(name, None) for name in compiled.MODULES]
    assert all(spec is not None and str(spec.origin).startswith(str(tmp_path)) for spec in specs)


def test_no_other_module_is_touched(tmp_path: Path) -> None:
    compiled.enable(stamped(tmp_path, compiled.digest()))
    assert sys.meta_path[0].find_spec("headrace.runs.engine", None) is None


def test_what_was_made_of_other_sources_is_left_aside(tmp_path: Path) -> None:
    before = list(sys.meta_path)
    assert not compiled.enable(stamped(tmp_path, "0" * 64))
    assert sys.meta_path == before


def test_nothing_needs_to_be_compiled(tmp_path: Path) -> None:
    before = list(sys.meta_path)
    assert not compiled.enable(tmp_path)
    assert sys.meta_path == before


def test_it_can_be_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_COMPILED", "no")
    assert not compiled.enable(stamped(tmp_path, compiled.digest()))


def imported(source: Path) -> str:
    """Return the file that a process of its own imports for a module on the path of a token."""
    code = "from headrace.journal import sqlite; print(sqlite.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()).name


@pytest.mark.skipif(not FRESH, reason="not compiled, or not from these sources: run `make compiled`")
def test_an_edited_source_is_what_runs(tmp_path: Path) -> None:
    copy = copytree(ROOT / "src", tmp_path / "src")
    assert imported(copy).startswith("sqlite.cpython")
    with (copy / "headrace" / "runs" / "run.py").open("a") as file:
        file.write("# edited\n")
    assert imported(copy) == "sqlite.py"


def test_without_a_compiler_nothing_is_lost(tmp_path: Path) -> None:
    tool = [sys.executable, str(ROOT / "tools" / "compile.py"), "--force"]
    done = subprocess.run(tool, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert "there is no C compiler" in done.stderr
    assert "Headrace works without" in done.stderr
