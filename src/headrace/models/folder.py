"""This module keeps downloaded models: one folder of GGUF files, into which no name from outside leads astray."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from headrace.core.errors import BadField, Conflict
from headrace.net.part import DownloadFailed

__all__ = ["ModelFolder", "checked_name"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+=@()-]{0,190}\.gguf", re.IGNORECASE)


def checked_name(name: str) -> str:
    """Return the name of a file in the folder. Raises `BadField` for one that could lie elsewhere, or is no model's."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise BadField(
            f"{name[:200]!r} cannot be the name of a model here: letters, digits, and what stands in '._+=@()-', and "
            ".gguf at its end.",
            field="model",
        )
    return name


class ModelFolder:
    """The folder, made where it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[Path]:
        """Yield the path of a file to which nobody else downloads meanwhile, in this process or another.

        Raises `BadField`; `Conflict` with code `pull_busy` where somebody does; `DownloadFailed` where the folder
        cannot be made.
        """
        target = self.path / checked_name(name)
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DownloadFailed(f"{self.path} cannot be made: {error.strerror}.", code="not_writable") from error
        lock = FileLock(target.with_name(f"{name}.part.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Conflict(f"{name} is being downloaded already.", code="pull_busy") from None
        try:
            yield target
        finally:
            # while it is held: whoever waits for it sees that it is gone, and makes another
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def is_there(self, target: Path, sha256: str | None) -> bool:
        """Return whether this very file is there. It blocks while it reads the file.

        Raises `Conflict` with code `file_exists` where another one is, or it cannot be told whether it is this one.
        """
        if not target.is_symlink() and not target.exists():
            return False
        if sha256 is None or _hash(target) != sha256:
            other = "There is" if sha256 is None else "Another file is there:"
            raise Conflict(
                f"{other} {target} already. Remove it, or give this one another name (headrace pull --as).",
                code="file_exists",
            )
        return True


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DownloadFailed(f"{path} cannot be read: {error.strerror}.", code="not_readable") from error
