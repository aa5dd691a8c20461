import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from headrace.app import imports
from headrace.app.folder import held
from headrace.app.imports import Summary, import_chats
from headrace.core.errors import NotFound, SettingsError
from headrace.core.principal import LOCAL
from headrace.formats.export_file import NoExport
from headrace.store.store import Store


def chat(number: int, text: str = "x") -> dict[str, Any]:
    return {"id": str(number), "title": f"T{number}", "chat": {"messages": [{"role": "user", "content": text}]}}


def conversation(number: int) -> dict[str, Any]:
    content = {"content_type": "text", "parts": ["x"]}
    return {"id": str(number), "mapping": {"a": {"message": {"author": {"role": "user"}, "content": content}}}}


def write(path: Path, content: Any) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content))


async def take(path: Path, data: Path, *, user: str = "local") -> Summary:
    return await import_chats(path, data, user=user, watch=lambda _: None)


async def titles(data: Path) -> list[str | None]:
    store = Store(data / "headrace.db")
    await store.open()
    found = [one.title for one in (await store.chats.list(LOCAL)).items]
    await store.close()
    return sorted(found, key=lambda title: title or "")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return tmp_path / "export.json"


async def test_all_chats_go_in_even_into_a_folder_that_is_not_there_yet(data: Path, export: Path) -> None:
    write(export, [chat(1), chat(2)])
    told: list[int] = []
    summary = await import_chats(export, data, user="local", watch=lambda summary: told.append(summary.imported))
    assert summary == Summary(imported=2, messages=2)
    assert told == [1, 2]
    assert await titles(data) == [None, "T1", "T2"]


async def test_what_was_imported_is_not_imported_again(data: Path, export: Path) -> None:
    write(export, [chat(1)])
    await take(export, data)
    write(export, [chat(1), chat(2)])
    assert await take(export, data) == Summary(imported=1, messages=1, present=1)
    assert len(await titles(data)) == 3


async def test_broken_and_empty_chats_are_counted_and_the_rest_goes_in(data: Path, export: Path) -> None:
    empty = {"id": "e", "chat": {"messages": []}}
    write(export, [chat(1), {"title": "Bad", "mapping": 7}, empty, chat(2)])
    summary = await take(export, data)
    assert (summary.imported, summary.empty, [one.title for one in summary.broken]) == (2, 1, ["Bad"])


async def test_a_zip_file_of_chatgpt_is_unpacked(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/conversations-000.json", json.dumps([conversation(1)]))
        archive.writestr("folder/conversations-001.json", json.dumps([conversation(2)]))
        archive.writestr("shared_conversations.json", "no JSON")
        archive.writestr("file-abc.png", b"\x89PNG")
    assert await take(path, data) == Summary(imported=2, messages=2)


async def test_a_zip_file_of_something_else_is_refused(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json.txt", "[]")
    with pytest.raises(NoExport, match=r"no conversations\.json"):
        await take(path, data)


async def test_a_zip_file_that_swells_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_FILE_BYTES", 3 * 2**20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"conversations-{number}.json", json.dumps([conversation(number)]) + " " * 2**21)
    assert path.stat().st_size < 20_000
    with pytest.raises(NoExport, match="GiB"):
        await take(path, data)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_a_damaged_zip_file_is_refused(data: Path, tmp_path: Path, packing: int) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("conversations.json", json.dumps([conversation(number) for number in range(100)]))
    content = bytearray(path.read_bytes())
    content[60:70] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(NoExport, match="cannot be unpacked"):
        await take(path, data)


@pytest.mark.parametrize(
    ("content", "why"), [("", "empty"), ("hello", "no list"), ("[1", "not JSON"), ("[1]", "known")]
)
async def test_what_is_no_export_is_refused(data: Path, export: Path, content: str, why: str) -> None:
    write(export, content)
    with pytest.raises(NoExport, match=why):
        await take(export, data)


async def test_a_file_that_is_too_large_is_refused(data: Path, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_FILE_BYTES", 10)
    write(export, [chat(1)])
    with pytest.raises(NoExport, match="more than"):
        await take(export, data)


async def test_a_file_that_is_not_there_is_named(data: Path, export: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        await take(export, data)


async def test_chats_are_for_somebody(data: Path, export: Path) -> None:
    write(export, [chat(1)])
    with pytest.raises(NotFound, match="no user 'mary'"):
        await take(export, data, user="mary")
    assert await titles(data) == [None]


async def test_a_folder_in_use_is_refused(data: Path, export: Path) -> None:
    write(export, [chat(1)])
    with held(data), pytest.raises(SettingsError, match="Another Headrace uses"):
        await take(export, data)


async def test_a_text_may_hold_any_character(data: Path, export: Path) -> None:
    write(export, [chat(1, "nul \0 is fine"), chat(2)])
    summary = await take(export, data)
    assert summary.imported == 2
