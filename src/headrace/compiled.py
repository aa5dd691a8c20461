"""This module has the path of a token imported as machine code, where `make` has compiled these very sources.

`tools/compile.py` compiles `MODULES` with mypyc into `FOLDER`. What it made counts only while every one of them is what
it was then; otherwise, and where nothing was compiled, all of them are imported as any other module. So nothing but speed
depends on it: an edited source is what runs, and without a C compiler there is a slower server.
`HEADRACE_COMPILED=no` in the environment leaves it aside.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType

__all__ = ["FOLDER", "LIBRARY", "MODULES", "STAMP", "digest", "enable"]

MODULES = (
    "headrace.app.sink",
    "headrace.doors.follow",
    "headrace.formats.native",
    "headrace.formats.openai_chat_encoder",
    "headrace.formats.openai_chat_repeat",
    "headrace.journal.live",
    "headrace.journal.sqlite",
    "headrace.net.connection",
    "headrace.providers.openai_reply",
    "headrace.runs.run",
)
"""What a token passes through. They call each other without the interpreter, so they are compiled as one."""

LIBRARY = "headrace_token"
"""mypyc's name for what they share; the library itself is imported as `headrace_token__mypyc`."""

FOLDER = Path(__file__).with_name("_compiled")
STAMP = f"built-from{EXTENSION_SUFFIXES[0]}.txt"
"""Each Python has its own, as it has its own libraries."""


def digest() -> str:
    """Return what identifies the sources of `MODULES`. Raises `OSError` where one is missing."""
    together = hashlib.sha256()
    for name in MODULES:
        source = Path(__file__).parents[1].joinpath(*name.split(".")).with_suffix(".py").read_bytes()
        together.update(b"%b %d\n%b" % (name.encode(), len(source), source))
    return together.hexdigest()


def enable(folder: Path = FOLDER) -> bool:
    """Import `MODULES` from the folder from now on; return False, and change nothing, where it is not of these sources."""
    if os.environ.get("HEADRACE_COMPILED") == "no":
        return False
    try:
        if (folder / STAMP).read_text() != digest():
            return False
    except OSError:
        return False
    sys.meta_path.insert(0, _Finder(folder))
    return True


class _Finder:
    """Finds the compiled modules, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            name: str(folder.joinpath(*name.split("."))) + EXTENSION_SUFFIXES[0]
            for name in (*MODULES, f"{LIBRARY}__mypyc")
        }

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        file = self._files.get(name)
        if file is None:
            return None
        return importlib.util.spec_from_file_location(name, file, loader=ExtensionFileLoader(name, file))
