"""This script checks that tests/unit mirrors src/headrace: check_mirror.py [ROOT]; it prints what does not, exits 1.

Every tests/unit/PACKAGE/test_PACKAGE_MODULE.py must correspond to a module (the parts of a deeper module's name
are joined by underscores), or to a part of one: test_PACKAGE_MODULE_TOPIC.py. Every module of the packages in
`COMPLETE` must have such a file, or be a part of a module that has: `openai_chat_answer` is one of `openai_chat`.
"""

import sys
from pathlib import Path

COMPLETE = ("core", "formats", "journal", "runs")

# They only declare: what fills the ports is tested by the contract suites, what uses the words where it is.
DECLARATIONS = {
    "core/principal.py",
    "core/status.py",
    "formats/port.py",
    "journal/memory.py",
    "journal/port.py",
    "runs/port.py",
}


def modules(root: Path) -> dict[str, Path]:
    """Return every module as `package_module`, the middle of its test's name, and where it lies."""
    source = root / "src" / "headrace"
    found = {}
    for path in source.rglob("*.py"):
        relative = path.relative_to(source)
        if relative.name != "__init__.py":
            parts = [part.strip("_") for part in relative.with_suffix("").parts]
            found["_".join(parts)] = relative
    return found


def unmatched_tests(root: Path, known: dict[str, Path]) -> list[str]:
    """Return a complaint for every unit test in a package's folder that corresponds to no module of the package."""
    complaints = []
    for path in _tests(root):
        name = next(filter(known.get, _wholes(path.stem.removeprefix("test_"))), "")
        module = known.get(name)
        relative = path.relative_to(root / "tests" / "unit")
        if module is None or module.parts[0] != relative.parts[0]:
            complaints.append(f"tests/unit/{relative.as_posix()}: there is no module of this name")
    return complaints


def untested_modules(root: Path, known: dict[str, Path]) -> list[str]:
    """Return a complaint for every module of the complete packages that has no unit test."""
    tested = {path.stem.removeprefix("test_") for path in _tests(root)}
    return [
        f"src/headrace/{module.as_posix()}: there is no tests/unit/{module.parts[0]}/test_{name}.py"
        for name, module in sorted(known.items())
        if module.parts[0] in COMPLETE and module.as_posix() not in DECLARATIONS and tested.isdisjoint(_wholes(name))
    ]


def _wholes(name: str) -> list[str]:
    """Return the name and what it may be a part of: `a_b_c` and `a_b`, the package's own name left out."""
    words = name.split("_")
    return ["_".join(words[:count]) for count in range(len(words), 1, -1)]


def _tests(root: Path) -> list[Path]:
    return sorted((root / "tests" / "unit").glob("*/**/test_*.py"))


def main() -> int:
    """Print every complaint; return 1 when there is one."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    known = modules(root)
    complaints = unmatched_tests(root, known) + untested_modules(root, known)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
