"""This module takes chats from another program's export into the data folder."""

import contextlib
import mmap
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO

import msgspec

from headrace.app.folder import STORE, held
from headrace.core.clock import SystemClock
from headrace.core.errors import SettingsError
from headrace.core.principal import Principal
from headrace.formats.export_file import Broken, NoExport, read
from headrace.formats.exported import Chat
from headrace.store.sqlite import Sync
from headrace.store.store import Store

__all__ = ["Summary", "import_chats"]

_FILE_BYTES = 4 * 2**30
"""What a file of chats may have, or become when it is unpacked."""

_PIECE = 1024 * 1024
# newer exports of ChatGPT have conversations-000.json, conversations-001.json, ...
_CONVERSATIONS = re.compile(r"(?:.*/)?conversations(?:-\d+)?\.json")


class Summary(msgspec.Struct):
    """What became of the chats of a file. `present` were there already, `empty` had no message."""

    imported: int = 0
    messages: int = 0
    present: int = 0
    empty: int = 0
    broken: list[Broken] = []


async def import_chats(
    path: Path, data_dir: Path, *, user: str, sync: Sync = "normal", watch: Callable[[Summary], None]
) -> Summary:
    """Store the chats of an export, those of a user by this name; `watch` is told after each chat.

    `path` is Open WebUI's or ChatGPT's JSON, or ChatGPT's zip file with it. A chat that is there already is left
    alone, one that cannot be read is noted, and all others are stored; so it may be called again after it was cut.
    Raises `SettingsError` where a server uses the data folder, `NotFound` where there is no such user, `NoExport`
    where the file is none, or too large.
    """
    summary = Summary()
    with held(data_dir), contextlib.closing(_files(path)) as files:
        store = Store(data_dir / STORE, sync=sync)
        await store.open()
        try:
            owner = await store.users.named(user)
            for data in files:
                for chat in read(data):
                    await _take(store, Principal(owner.id, owner.name), chat, summary)
                    watch(summary)
        finally:
            await store.close()
    return summary


async def _take(store: Store, principal: Principal, chat: Chat | Broken, summary: Summary) -> None:
    if isinstance(chat, Broken):
        summary.broken.append(chat)
        return
    if not chat.messages:
        summary.empty += 1
        return
    chat_id = await store.imports.add(principal, chat, now_ms=SystemClock().now_ms())
    if chat_id is None:
        summary.present += 1
    else:
        summary.imported += 1
        summary.messages += len(chat.messages)


def _files(path: Path) -> Generator[memoryview]:
    """Yield the files of chats in a file, one after the other; they lie on the disk and not in memory."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from _unpacked(archive)
        else:
            with path.open("rb") as file:
                yield _mapped(file)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        # what zipfile raises for damage, for ways of packing that it does not know, and for passwords
        raise NoExport(f"{path} cannot be unpacked: {error}.") from error


def _unpacked(archive: zipfile.ZipFile) -> Iterator[memoryview]:
    names = sorted(name for name in archive.namelist() if _CONVERSATIONS.fullmatch(name))
    if not names:
        raise NoExport("This zip file has no conversations.json in it.")
    room = _FILE_BYTES
    for name in names:
        with archive.open(name) as packed, tempfile.TemporaryFile() as file:
            while piece := packed.read(_PIECE):
                room -= len(piece)
                if room < 0:
                    # counted, not believed: a header may say anything
                    raise NoExport(f"What is packed in this file has more than {_FILE_BYTES // 2**30} GiB.")
                file.write(piece)
            file.flush()
            yield _mapped(file)


def _mapped(file: IO[bytes]) -> memoryview:
    size = file.seek(0, 2)
    if not 0 < size <= _FILE_BYTES:
        raise NoExport("This file is empty." if not size else f"This file has more than {_FILE_BYTES // 2**30} GiB.")
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
