"""This module finds the models in a folder: GGUF files in it, in its folders, and in theirs (`OWNER/REPO/FILE.gguf`).

A file counts when it no longer grows: one that is being copied would be loaded half. What is hidden, what a symbolic
link brings in from outside, and what cannot answer in a chat does not count; why not is logged once.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import structlog

from headrace.core.clock import Clock
from headrace.providers import gguf

__all__ = ["Folder", "ModelFile"]

logger = structlog.get_logger("headrace.providers")

_DEPTH = 2  # folders within each other: OWNER/REPO
_SUFFIX = ".gguf"
_SETTLED_MS = 3000  # a file that was written so long ago is whole; a younger one must be found unchanged once more
_PART = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")

_FileStamp = tuple[str, int, int]  # path, size, time of change
_Stamp = tuple[_FileStamp, ...]  # of each part


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the folder. `path` is the file to load; of several parts, the first. `stamp` changes with its content.

    `name` is the file's own, or the path in the folder where another file has the same name.
    """

    name: str
    path: Path
    context_length: int | None
    stamp: _Stamp


class Folder:
    """The models of one folder, as they are found scan by scan. Blocks: call it in a thread.

    `elsewhere` are files that are served by another provider already, and so not by this folder's.
    """

    def __init__(self, path: Path, clock: Clock, *, elsewhere: Iterable[Path] = ()) -> None:
        self.path = path
        self._clock = clock
        self._elsewhere = {_real(file) for file in elsewhere}
        self._stamps: Mapping[Path, _Stamp] = {}  # of the last scan
        self._read: dict[_Stamp, gguf.Gguf] = {}
        self._told: set[tuple[Path, str]] = set()

    def scan(self) -> tuple[ModelFile, ...]:
        """Return the models that are there now, by name. What cannot be read is passed over."""
        root = _real(self.path)
        stamps = dict(self._stamped(root))
        before, self._stamps = self._stamps, stamps
        now_ms = self._clock.now_ms()
        found = []
        for path, stamp in stamps.items():
            if before.get(path) == stamp or all(now_ms - at // 1_000_000 >= _SETTLED_MS for _, _, at in stamp):
                said = self._said(path, stamp)
                if said is not None:
                    found.append((path, said.context_length, stamp))
        self._read = {stamp: said for stamp, said in self._read.items() if stamp in stamps.values()}
        names = _names([path.relative_to(root) for path, _, _ in found])
        models = (
            ModelFile(name=names[path.relative_to(root)], path=path, context_length=length, stamp=stamp)
            for path, length, stamp in found
        )
        return tuple(sorted(models, key=lambda model: model.name))

    def _stamped(self, root: Path) -> Iterator[tuple[Path, _Stamp]]:
        """Yield what to load of each model whose parts are all there, and its stamp."""
        files = {path: stamp for path in self._walk(root, root, _DEPTH) if (stamp := _stamp(path)) is not None}
        for path, stamp in files.items():
            match = _PART.fullmatch(path.stem)
            if match is None:
                yield path, (stamp,)
            elif int(match["number"]) == 1:
                parts = tuple(_parts(files, path, match))
                if len(parts) == int(match["count"]):
                    yield path, parts
                else:
                    self._tell(path, "not all of its parts are there")

    def _walk(self, folder: Path, root: Path, depth: int) -> Iterator[Path]:
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            return
        for path in paths:
            if path.name.startswith("."):
                continue
            if path.is_symlink() and not _real(path).is_relative_to(root):
                self._tell(path, "it is a link that leads out of the folder")
            elif path.is_dir():
                if depth:
                    yield from self._walk(path, root, depth - 1)
            elif path.suffix.lower() == _SUFFIX and path.is_file():
                if not _is_text(path):
                    self._tell(path, "its name is not UTF-8")
                elif not self._elsewhere or _real(path) not in self._elsewhere:
                    yield path

    def _said(self, path: Path, stamp: _Stamp) -> gguf.Gguf | None:
        said = self._read.get(stamp)
        if said is None:
            try:
                said = self._read[stamp] = gguf.read(path)
            except OSError as error:
                self._tell(path, f"it cannot be read: {error.strerror}")
                return None
        if said.unfit is not None:
            self._tell(path, said.unfit)
            return None
        return said

    def _tell(self, path: Path, why: str) -> None:
        if (path, why) not in self._told:
            self._told.add((path, why))
            logger.warning("model.passed_over", path=str(path), why=why)


def _stamp(path: Path) -> _FileStamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_size, status.st_mtime_ns


def _parts(files: Mapping[Path, _FileStamp], first: Path, match: re.Match[str]) -> Iterator[_FileStamp]:
    """Yield the stamps of a model's parts, up to the first that is missing."""
    for number in range(1, int(match["count"]) + 1):
        stamp = files.get(first.with_name(f"{match['name']}-{number:05}-of-{match['count']}{first.suffix}"))
        if stamp is None:
            return
        yield stamp


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # `Path.resolve` raises where links go in a circle


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _names(paths: list[Path]) -> dict[Path, str]:
    """Return a name for each file: its own; below the first level the whole path where several files have the same."""
    plain = {path: _plain(path) for path in paths}
    count = Counter(plain.values())
    return {
        path: name if count[name] == 1 or path.parent == Path() else str((path.parent / name).as_posix())
        for path, name in plain.items()
    }


def _plain(path: Path) -> str:
    match = _PART.fullmatch(path.stem)
    return match["name"] if match is not None else path.stem
