"""This module keeps what has come of a file until all of it is there.

The bytes lie in `NAME.part`; `NAME.part.json` says of what they are a part: where they come from, and the server's own
words for this version of the file (ETag, SHA-256, size). A part of something else, or of who knows what, is thrown
away when it is opened.
"""

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import msgspec

from headrace.core.errors import HeadraceError

__all__ = ["DownloadFailed", "Part"]

_CHUNK = 1024 * 1024

SPARE_BYTES = 64 * 1024 * 1024
"""What a download leaves free on the disk: the databases beside it must be able to go on."""


class DownloadFailed(HeadraceError):
    """A file could not be had. `retryable` says whether asking again may help."""

    status = 502
    default_code = "download_failed"

    def __init__(self, message: str, *, code: str | None = None, retryable: bool = False) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable


class _Label(msgspec.Struct, frozen=True):
    """What `NAME.part.json` says. `source` is the SHA-256 of the URL, which may hold a secret."""

    source: str
    etag: str | None
    sha256: str | None
    size: int | None


class Part:
    """The part of one file, open for writing at its end. Blocks: call it in a thread. Raises `DownloadFailed`.

    `etag`, `sha256` and `total` are what is known of the whole file; `size` is how much of it is here.
    """

    def __init__(self, path: Path, url: str, sha256: str | None) -> None:
        self.size = 0
        self.etag: str | None = None
        self.sha256 = sha256
        self.total: int | None = None
        self._path = path
        self._file: FileIO
        self._opened = contextlib.ExitStack()
        self._label_path = path.with_name(path.name + ".json")
        self._source = hashlib.sha256(url.encode()).hexdigest()
        self._hash = hashlib.sha256()

    def open(self) -> None:
        """Open it, made where it is missing; what is there of another file is thrown away."""
        # no symlink is followed: nobody but us makes this file
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
        try:
            handle = os.open(self._path, flags, 0o600)
            self._file = self._opened.enter_context(os.fdopen(handle, "r+b", buffering=0))
            self._take_up()
        except OSError as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let go of the file. Harmless when it was never opened."""
        self._opened.close()

    @property
    def known(self) -> bool:
        """Whether it can be told that what a server has is the file of which this is a part."""
        return self.size > 0 and (self.sha256 is not None or self.etag is not None)

    def restart(self) -> None:
        """Throw away what has come."""
        self._file.seek(0)
        self._file.truncate()
        self.size, self._hash = 0, hashlib.sha256()

    def describe(self, *, etag: str | None, sha256: str | None, total: int | None) -> None:
        """Write down of what this is a part, before any of it is written."""
        self.etag, self.sha256, self.total = etag, sha256, total
        label = _Label(self._source, etag, sha256, total)
        new = self._label_path.with_name(self._label_path.name + ".new")
        try:
            new.write_bytes(msgspec.json.encode(label))
            new.replace(self._label_path)
        except OSError as error:
            raise self._unusable(error) from error

    def check_room(self) -> None:
        """Raise where the disk has no room for the rest, as far as its size is known."""
        free = shutil.disk_usage(self._path.parent).free - SPARE_BYTES
        missing = (self.total or self.size) - self.size
        if missing > free:
            raise DownloadFailed(
                f"The disk of {self._path.parent} has no room: {missing / 1e9:.1f} GB are missing, and "
                f"{max(free, 0) / 1e9:.1f} GB are free.",
                code="no_space",
            )

    def write(self, pieces: Sequence[bytes]) -> None:
        """Add to the end."""
        data = b"".join(pieces)
        self._hash.update(data)
        try:
            while data:
                data = data[self._file.write(data) :]
                self.size = self._file.tell()
        except OSError as error:
            raise self._unusable(error) from error

    def begins_with(self, magic: bytes) -> bool:
        """Return whether the file begins so, as far as it is here."""
        self._file.seek(0)
        begins = self._file.read(len(magic)) == magic[: self.size]
        self._file.seek(self.size)
        return begins

    def finish(self) -> str:
        """Make it durable and return its SHA-256. Where that is not the expected one, the part is removed."""
        found = self._hash.hexdigest()
        if self.sha256 not in {None, found}:
            self.remove()
            raise DownloadFailed(
                f"The file is not what it should be: its SHA-256 is {found}, and {self.sha256} was expected. "
                "What came was removed.",
                code="wrong_hash",
            )
        os.fsync(self._file.fileno())
        return found

    def place(self, target: Path) -> None:
        """Give the finished file its name, in the place of whatever has it now."""
        self._path.replace(target)
        self._label_path.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def remove(self) -> None:
        """Remove it from the disk."""
        self._path.unlink(missing_ok=True)
        self._label_path.unlink(missing_ok=True)

    def _take_up(self) -> None:
        label = self._read_label()
        if label is None or not self._is_of(label):
            self.restart()
            return
        self.etag, self.sha256, self.total = label.etag, self.sha256 or label.sha256, label.size
        while piece := self._file.read(_CHUNK):
            self._hash.update(piece)
            self.size += len(piece)
        if self.total is not None and self.size > self.total:
            self.restart()

    def _is_of(self, label: _Label) -> bool:
        same = label.source == self._source and (self.sha256 is None or label.sha256 in {None, self.sha256})
        return same and (label.sha256 is not None or label.etag is not None)

    def _read_label(self) -> _Label | None:
        try:
            return msgspec.json.decode(self._label_path.read_bytes(), type=_Label)
        except (OSError, msgspec.DecodeError):
            return None

    def _unusable(self, error: OSError) -> DownloadFailed:
        return DownloadFailed(f"{self._path} cannot be written: {error.strerror}.", code="not_writable")


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # it cannot open folders, and needs none of this
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
