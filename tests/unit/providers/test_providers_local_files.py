import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from fakes.gguf import MODEL, gguf
from headrace.core.clock import SystemClock
from headrace.providers.local_files import Folder, ModelFile

WHOLE = gguf()
DAY_S = 86_400


def put(path: Path, data: bytes = WHOLE, *, age_s: float = DAY_S) -> Path:
    """Write a file that was last changed so long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    changed = SystemClock().now_ms() / 1000 - age_s
    os.utime(path, (changed, changed))
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def folder(models: Path) -> Folder:
    return Folder(models, SystemClock())


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


def names(folder: Folder) -> list[str]:
    return [model.name for model in folder.scan()]


def told(logs: list[EventDict]) -> list[tuple[str, str]]:
    return [(Path(log["path"]).name, log["why"]) for log in logs if log["event"] == "model.passed_over"]


def test_a_model_has_its_files_name_and_says_what_it_can_read(folder: Folder, models: Path) -> None:
    path = put(models / "ada.gguf")
    (model,) = folder.scan()
    assert (model.name, model.path, model.context_length) == ("ada", path, 2048)


def test_models_lie_in_the_folder_and_in_those_of_owners_and_repositories(folder: Folder, models: Path) -> None:
    put(models / "d.GGUF")
    put(models / "some" / "c.gguf")
    put(models / "owner" / "repo" / "b.gguf")
    put(models / "owner" / "repo" / "deeper" / "a.gguf")
    assert names(folder) == ["b", "c", "d"]


def test_a_folder_that_is_not_there_has_no_models(folder: Folder, models: Path) -> None:
    models.rmdir()
    assert folder.scan() == ()


def test_a_file_that_comes_and_one_that_goes_are_noticed(folder: Folder, models: Path) -> None:
    put(models / "a.gguf")
    assert names(folder) == ["a"]
    put(models / "b.gguf")
    assert names(folder) == ["a", "b"]
    (models / "a.gguf").unlink()
    assert names(folder) == ["b"]


# files that are being written


def test_a_file_that_was_written_just_now_counts_once_it_was_found_unchanged(folder: Folder, models: Path) -> None:
    path = put(models / "a.gguf", WHOLE, age_s=0)
    assert names(folder) == []
    put(path, WHOLE + b"more", age_s=0)
    assert names(folder) == []
    assert names(folder) == ["a"]


def test_a_file_from_the_future_counts_too(folder: Folder, models: Path) -> None:
    put(models / "a.gguf", age_s=-DAY_S)
    assert names(folder) == []
    assert names(folder) == ["a"]


def test_a_file_that_is_written_anew_is_another_one(folder: Folder, models: Path) -> None:
    put(models / "a.gguf")
    before = folder.scan()
    put(models / "a.gguf", gguf({**MODEL, "llama.context_length": 4096}), age_s=DAY_S - 1)
    (after,) = folder.scan()
    assert after.context_length == 4096
    assert before != (after,)


def test_a_download_that_goes_on_does_not_count(folder: Folder, models: Path, logs: list[EventDict]) -> None:
    put(models / "a.gguf.part")
    put(models / "a.gguf.part.json", b"{}")
    assert (names(folder), told(logs)) == ([], [])


# models of several parts


def part(models: Path, number: int, count: int = 3, data: bytes = WHOLE) -> Path:
    return put(models / f"big-{number:05}-of-{count:05}.gguf", data)


def test_a_model_of_several_parts_is_one(folder: Folder, models: Path) -> None:
    first = part(models, 1)
    part(models, 2, data=b"GGUF tensors")
    part(models, 3, data=b"GGUF tensors")
    (model,) = folder.scan()
    assert (model.name, model.path) == ("big", first)


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_model_counts_when_all_its_parts_are_there(
    folder: Folder, models: Path, logs: list[EventDict], missing: int
) -> None:
    for number in {1, 2, 3} - {missing}:
        part(models, number)
    assert names(folder) == []
    assert told(logs) == ([] if missing == 1 else [("big-00001-of-00003.gguf", "not all of its parts are there")])
    part(models, missing)
    assert names(folder) == ["big"]


# names


def test_files_of_one_name_are_told_apart_by_where_they_lie(folder: Folder, models: Path) -> None:
    put(models / "owner" / "one" / "a.gguf")
    put(models / "owner" / "two" / "a.gguf")
    assert names(folder) == ["owner/one/a", "owner/two/a"]
    put(models / "a.gguf")
    assert names(folder) == ["a", "owner/one/a", "owner/two/a"]


@pytest.mark.skipif(sys.platform == "win32", reason="file names are text there")
def test_a_name_that_is_no_text_is_passed_over(folder: Folder, models: Path, logs: list[EventDict]) -> None:
    put(Path(os.fsdecode(os.fsencode(models) + b"/\xff.gguf")))
    assert names(folder) == []
    assert [why for _, why in told(logs)] == ["its name is not UTF-8"]


# what does not count


def test_links_count_as_long_as_they_stay_in_the_folder(
    folder: Folder, models: Path, tmp_path: Path, logs: list[EventDict]
) -> None:
    put(models / "owner" / "repo" / "a.gguf")
    (models / "b.gguf").symlink_to("owner/repo/a.gguf")
    put(tmp_path / "outside" / "c.gguf")
    (models / "c.gguf").symlink_to(tmp_path / "outside" / "c.gguf")
    (models / "d").symlink_to(tmp_path / "outside")
    (models / "e.gguf").symlink_to("../outside/c.gguf")
    (models / "lost.gguf").symlink_to("nowhere.gguf")
    (models / "round.gguf").symlink_to("round.gguf")
    assert names(folder) == ["a", "b"]
    why = "it is a link that leads out of the folder"
    assert told(logs) == [("c.gguf", why), ("d", why), ("e.gguf", why)]


def test_the_folder_itself_may_be_a_link(models: Path, tmp_path: Path) -> None:
    put(models / "a.gguf")
    (tmp_path / "link").symlink_to(models)
    assert names(Folder(tmp_path / "link", SystemClock())) == ["a"]


def test_a_link_in_a_circle_ends(folder: Folder, models: Path) -> None:
    (models / "round").symlink_to(models)
    put(models / "a.gguf")
    assert "a" in names(folder)


def test_what_is_hidden_does_not_count(folder: Folder, models: Path, logs: list[EventDict]) -> None:
    put(models / ".a.gguf")
    put(models / ".cache" / "b.gguf")
    put(models / "readme.md")
    assert (names(folder), told(logs)) == ([], [])


def test_what_cannot_chat_is_passed_over_and_told_once(folder: Folder, models: Path, logs: list[EventDict]) -> None:
    put(models / "mmproj.gguf", gguf({"general.architecture": "clip"}))
    put(models / "page.gguf", b"<html>")
    assert (names(folder), names(folder)) == ([], [])
    assert told(logs) == [
        ("mmproj.gguf", "it is a part for other models, and no model itself"),
        ("page.gguf", "it is no GGUF file"),
    ]


def test_a_file_that_goes_while_it_is_looked_at_is_passed_over(models: Path, logs: list[EventDict]) -> None:
    path = put(models / "a.gguf")

    class Thief(SystemClock):
        def now_ms(self) -> int:
            path.unlink(missing_ok=True)  # the time is asked for between finding files and reading them
            return super().now_ms()

    folder = Folder(models, Thief())
    assert (folder.scan(), folder.scan()) == ((), ())
    assert told(logs) == [("a.gguf", "it cannot be read: No such file or directory")]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
def test_only_files_are_opened(folder: Folder, models: Path) -> None:
    os.mkfifo(models / "a.gguf")  # whoever opens it waits for a writer
    put(models / "b.gguf" / "c.gguf")
    assert names(folder) == ["c"]


def test_a_folder_that_is_none_has_no_models(models: Path) -> None:
    assert Folder(put(models / "a.gguf"), SystemClock()).scan() == ()


def test_a_file_that_another_provider_serves_is_its_own(models: Path) -> None:
    put(models / "a.gguf")
    put(models / "b.gguf")
    (models / "c.gguf").symlink_to("b.gguf")
    folder = Folder(models, SystemClock(), elsewhere=[models / "x" / ".." / "b.gguf"])
    assert names(folder) == ["a"]


def test_nothing_is_read_again_that_has_not_changed(folder: Folder, models: Path) -> None:
    path = put(models / "a.gguf")
    before = folder.scan()
    status = path.stat()
    path.write_bytes(b"X" * len(WHOLE))  # as if it could not be read at all: only its time and size say it changed
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folder.scan() == before
    assert all(isinstance(model, ModelFile) for model in before)
