"""What holds for the whole house: its layout, its documents, its commands."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted((ROOT / "src" / "headrace").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LOCKS = ("runtime", "dev")

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60


def ran(*command: str, environ: dict[str, str] | None = None, cwd: Path = ROOT) -> tuple[int, str]:
    """Return the exit status and all output of a command."""
    result = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environ or {})}, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Code


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def says_what_is_public(tree: ast.Module) -> bool:
    """Return whether a module has `__all__`, or nothing but its docstring."""
    targets = [
        target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    named = any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
    return named or all(isinstance(node, ast.Expr) for node in tree.body)


def test_every_module_says_what_is_public() -> None:
    # Alembic finds what it needs in a migration by name
    silent = [name_of(path) for path, tree in parsed() if not says_what_is_public(tree)]
    assert [name for name in silent if "/migrations/" not in name] == []


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{name_of(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_test_files_have_unique_names() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_the_version_stands_in_both_places() -> None:
    assert PROJECT["project"]["version"] == headrace.__version__


# Documents


def test_generated_pages_are_up_to_date() -> None:
    assert ran(sys.executable, "tools/generate_docs.py", "--check") == (0, "")


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                yield page, target


def test_links_between_documents_lead_somewhere() -> None:
    assert [f"{name_of(page)}: {target}" for page, target in links() if not (page.parent / target).exists()] == []


# The mirror


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def mirror(folder: Path) -> tuple[int, str]:
    return ran(sys.executable, "tools/check_mirror.py", str(folder))


def test_the_mirror_is_whole_where_each_module_has_its_test(tmp_path: Path) -> None:
    made(tmp_path, "src/headrace/core/ids.py", "src/headrace/app/build.py", "src/headrace/core/__init__.py")
    made(tmp_path, "src/headrace/journal/port.py", "src/headrace/doors/native/runs.py")
    made(tmp_path, "tests/unit/core/test_core_ids.py", "tests/unit/doors/test_doors_native_runs.py")
    assert mirror(tmp_path) == (0, "")


def test_the_mirror_names_a_test_without_its_module(tmp_path: Path) -> None:
    made(tmp_path, "src/headrace/app/build.py", "tests/unit/app/test_app_built.py")
    assert mirror(tmp_path) == (1, "tests/unit/app/test_app_built.py: there is no module of this name\n")


def test_the_mirror_names_a_test_in_the_wrong_folder(tmp_path: Path) -> None:
    made(tmp_path, "src/headrace/app/build.py", "tests/unit/core/test_app_build.py")
    assert mirror(tmp_path) == (1, "tests/unit/core/test_app_build.py: there is no module of this name\n")


def test_the_mirror_names_a_module_without_its_test(tmp_path: Path) -> None:
    made(tmp_path, "src/headrace/runs/state.py")
    assert mirror(tmp_path) == (1, "src/headrace/runs/state.py: there is no tests/unit/runs/test_runs_state.py\n")


# Requirements


def pinned(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_has_hashes_and_none_says_where_it_lies(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-", text.replace("    --hash", "hash"), flags=re.MULTILINE)
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert re.match(r"[a-z0-9._-]+==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", block), block[:80]


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def test_the_locks_have_all_that_the_project_asks_for() -> None:
    groups = PROJECT["dependency-groups"]
    runtime = names_of(PROJECT["project"]["dependencies"]) | names_of(PROJECT["build-system"]["requires"])
    assert runtime | names_of(groups["compile"]) <= pinned("runtime").keys()
    assert names_of(groups["dev"]) <= pinned("dev").keys()
    assert groups["build"] == PROJECT["build-system"]["requires"]


def test_the_locks_agree() -> None:
    assert pinned("runtime").items() <= pinned("dev").items()


# Commands


def test_make_lists_its_commands() -> None:
    status, output = ran("make")
    assert status == 0
    assert re.findall(r"^make ([\w-]+)", output, flags=re.MULTILINE) == (
        ["help", "setup", "run", "page", "compiled", "test", "check", "bench", "docs", "tiny-model", "lock", "clean"]
    )


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], 'exec env HEADRACE_DATA_DIR="${HEADRACE_DATA_DIR-data}" .venv/bin/headrace serve'),
        (["PORT=8001", "MODEL=a.gguf"], 'headrace serve --port "8001" --model "a.gguf"'),
        (["HOST=::1", "DATA=d"], 'headrace serve --host "::1" --data-dir "d"'),
        (["CONFIG=h.toml"], 'exec env .venv/bin/headrace serve --config "h.toml"'),
    ],
)
def test_make_run_hands_its_arguments_on(arguments: list[str], command: str) -> None:
    status, output = ran("make", "--dry-run", "run", *arguments)
    assert status == 0
    assert command in " ".join(output.replace("\\\n", " ").split())


def python(folder: Path, script: str) -> str:
    """Return the path of something that says it is Python."""
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_python_that_is_too_old_is_refused_by_its_version(tmp_path: Path) -> None:
    old = python(tmp_path, 'case "$*" in *"sys.exit(sys.version_info"*) exit 1 ;; *) echo 3.9 ;; esac')
    status, output = ran("sh", "tools/make_venv.sh", old, str(tmp_path / "venv"))
    assert (status, output.startswith(f"Headrace needs Python 3.11 or newer; {old} is 3.9.")) == (1, True)


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    status, output = ran("sh", "tools/make_venv.sh", "python9", str(tmp_path / "venv"))
    assert (status, "there is no python9 here" in output) == (1, True)


def test_a_python_without_venv_is_refused_with_the_package_to_install(tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError", encoding="utf-8")
    lacking = python(tmp_path, f'PYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"')
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n", encoding="utf-8")
    (tmp_path / "id").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    status, output = ran("sh", "tools/make_venv.sh", lacking, str(tmp_path / "venv"), environ=environ)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (status, f"sudo apt-get install python{version}-venv" in output) == (1, True)
    assert not (tmp_path / "venv").exists()


def test_a_venv_that_works_is_left_as_it_is() -> None:
    assert ran("sh", "tools/make_venv.sh", "python9", sys.prefix) == (0, "")


# Skipped tests


TESTS = """
import pytest

def test_whole() -> None:
    pass

def test_skipped() -> None:
    pytest.skip("strace is not here")

@pytest.mark.xfail
def test_expected_to_fail() -> None:
    raise AssertionError
"""


def session(folder: Path, *options: str, ci: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_some.py").write_text(TESTS, encoding="utf-8")
    environ = {"CI": ci, "PYTEST_ADDOPTS": "", "PYTEST_XDIST_WORKER": ""}
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *options)
    return ran(*command, environ=environ, cwd=folder)


@pytest.mark.parametrize("options", [("-n", "0"), ("-n", "1")], ids=["alone", "xdist"])
def test_a_skipped_test_fails_the_session_where_ci_is_set(tmp_path: Path, options: tuple[str, ...]) -> None:
    status, output = session(tmp_path, *options, ci="true")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert re.findall(r"^SKIPPED .*", output, flags=re.MULTILINE) == (
        ["SKIPPED test_some.py::test_skipped: strace is not here"]
    )


@pytest.mark.parametrize("ci", ["", "false", "0"])
def test_a_skipped_test_is_fine_elsewhere(tmp_path: Path, ci: str) -> None:
    assert session(tmp_path, ci=ci)[0] == pytest.ExitCode.OK
