"""This script compiles the path of a token with mypyc; headrace/compiled.py names the modules and says when they are used.

python tools/compile.py: compiles where the sources are not those of the last time; --force: in any case. Where there is
no C compiler, or none of Python's headers, it says so and exits 0: Headrace runs without, a tenth slower.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from headrace.compiled import FOLDER, LIBRARY, MODULES, STAMP, digest

SOURCE = Path(__file__).resolve().parents[1] / "src"

# Run by itself, as mypyc and setuptools write where they are called from. -O1: what a token costs is memory, and -O3
# takes 10 s more.
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify(
    {arguments!r}, group_name={library!r}, opt_level="1", debug_level="0", target_dir={temporary!r}
)
setup(name="headrace-token", packages=[], ext_modules=modules)
"""


class Uncompiled(Exception):
    """Nothing was compiled; the message says why, for people."""


def compile_modules(*, force: bool = False) -> bool:
    """Compile; return False where there was nothing to do. Raises `Uncompiled`."""
    wanted = digest()
    stamp = FOLDER / STAMP
    if not force and stamp.is_file() and stamp.read_text() == wanted:
        return False
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        raise Uncompiled(f"there is no C compiler ({compiler}) here")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise Uncompiled("Python's headers are not here (on Debian and Ubuntu: python3-dev)")
    print("Compiling the path of a token", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        _run(Path(temporary))
        stamp.unlink(missing_ok=True)  # a compilation that is cut while it is put in place counts for nothing
        shutil.copytree(Path(temporary, "lib"), FOLDER, dirs_exist_ok=True, copy_function=_replace)
    stamp.write_text(wanted)
    return True


def _replace(source: str, target: str) -> None:
    """Put a file in place as another one: a server that runs goes on with the one that it has open."""
    shutil.copy2(source, f"{target}.new")
    Path(f"{target}.new").replace(target)


def _run(temporary: Path) -> None:
    paths = [f"{name.replace('.', '/')}.py" for name in MODULES]
    arguments = ["--config-file=", f"--cache-dir={temporary / 'cache'}", *paths]
    setup = temporary / "setup.py"
    setup.write_text(_SETUP.format(arguments=arguments, library=LIBRARY, temporary=str(temporary / "c")))
    command = [sys.executable, str(setup), "-q", "build_ext"]
    command += ["--build-lib", str(temporary / "lib"), "--build-temp", str(temporary / "o")]
    environ = {**os.environ, "HEADRACE_COMPILED": "no"}
    done = subprocess.run(command, cwd=SOURCE, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise Uncompiled(f"the compiler failed:\n{said}")


def main() -> None:
    """Compile, or say why not."""
    try:
        compile_modules(force="--force" in sys.argv[1:])
    except Uncompiled as error:
        print(f"The path of a token is not compiled: {error}", file=sys.stderr)
        print("Headrace works without, at a tenth more of CPU for a token.", file=sys.stderr)


if __name__ == "__main__":
    main()
