"""This module is the form of a backup: an uncompressed tar of plain files, and at its end a manifest of them.

`headrace.db`, `journal.db`, perhaps `models/NAME.gguf`, and `manifest.json`, which has each file's size and SHA-256.
The manifest stands last so that writing takes one pass, and an archive that was cut off has none.
"""

import contextlib
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from headrace.app.folder import JOURNAL, MODELS, STORE
from headrace.core.errors import BadField, HeadraceError
from headrace.models.folder import checked_name

__all__ = ["BadArchive", "File", "Manifest", "extract", "write"]

FORMAT = 1

_MANIFEST = "manifest.json"
_MAX_MANIFEST = 4 * 1024 * 1024
_PIECE = 1024 * 1024
_MAX_READ = 2 * _PIECE  # tarfile reads what a header announces, however long, in one go
_MODE = 0o600


class BadArchive(HeadraceError):
    """The file is no backup, or is damaged."""

    default_code = "bad_archive"


class File(msgspec.Struct, frozen=True):
    """One file of a backup."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: which version of Headrace made it, the revision of its database, when (Unix ms)."""

    format: int
    version: str
    revision: str
    created_at: int
    files: tuple[File, ...]


def write(target: Path, files: Mapping[str, Path], *, version: str, revision: str, created_at: int) -> Manifest:
    """Write these files, under these names, to a new archive that only its owner can read. Raises `OSError`."""
    written: list[File] = []
    with (
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as raw,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, path in files.items():
            with path.open("rb") as file:
                hashing = _Hashing(file)
                size = os.fstat(file.fileno()).st_size
                tar.addfile(_header(name, size, created_at), hashing)
                written.append(File(name, size, hashing.digest.hexdigest()))
        manifest = Manifest(
            format=FORMAT, version=version, revision=revision, created_at=created_at, files=tuple(written)
        )
        content = msgspec.json.format(msgspec.json.encode(manifest))
        tar.addfile(_header(_MANIFEST, len(content), created_at), io.BytesIO(content))
    return manifest


def extract(archive: Path, into: Path) -> Manifest:
    """Write the archive's files into an empty folder, and return its manifest, to which every one of them fits.

    Nothing else is made, whatever the archive says: no file of another name, no link, no folder but `models`. Raises
    `BadArchive`; `OSError` where the disk does.
    """
    found: dict[str, File] = {}
    manifest: Manifest | None = None
    with _readable(archive) as tar:
        for member in tar:
            name = _checked(member, {*found, *([_MANIFEST] if manifest is not None else [])})
            content = tar.extractfile(member)
            if content is None:
                raise BadArchive(f"{archive}: {name} is no file.")
            if name == _MANIFEST:
                manifest = _manifest(content.read(_MAX_MANIFEST))
            else:
                found[name] = _extracted(name, content, into)
    if manifest is None:
        raise BadArchive(f"{archive} has no manifest: it was cut off, or is no backup of Headrace.")
    for file in manifest.files:
        if found.pop(file.name, None) != file:
            raise BadArchive(f"{archive} is damaged: {file.name} is not as it was when the backup was made.")
    if found:
        raise BadArchive(f"{archive} has files that its manifest does not name: {', '.join(sorted(found))}.")
    return manifest


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with _Guarded(io.FileIO(archive)) as raw, tarfile.open(fileobj=raw, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BadArchive(f"{archive} is no backup of Headrace, or is damaged: {error}.") from error


def _checked(member: tarfile.TarInfo, before: set[str]) -> str:
    """Return the member's name. Raises `BadArchive` for all that a backup does not have."""
    name = member.name
    folder, _, file = name.partition("/")
    try:
        expected = name in {STORE, JOURNAL, _MANIFEST} or (folder == MODELS and checked_name(file) == file)
    except BadField:
        expected = False
    if not expected or name in before:
        raise BadArchive(f"This is no backup of Headrace: {_shown(name)} has no place in it.")
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.issparse():
        raise BadArchive(f"This is no backup of Headrace: {_shown(name)} is no plain file.")
    return name


def _extracted(name: str, content: IO[bytes], into: Path) -> File:
    target = into / name
    target.parent.mkdir(exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return File(name, size, digest.hexdigest())


def _manifest(content: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise BadArchive(f"The manifest of this backup cannot be read: {error}.") from error
    if manifest.format != FORMAT:
        raise BadArchive(f"This backup has format {manifest.format}: a newer version of Headrace can read it.")
    return manifest


def _header(name: str, size: int, created_at: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode, header.mtime = size, _MODE, created_at // 1000
    return header


def _shown(name: str) -> str:
    return re.sub(r"[^ -~]", "?", name)[:200] or "a file without a name"


class _Hashing:
    """Hashes what is read through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


class _Guarded(io.BufferedReader):
    """Refuses to read as much at once as only a header that lies asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("a header is too long")
        return super().read(size)
