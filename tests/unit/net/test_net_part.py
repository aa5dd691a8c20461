import hashlib
import os
from pathlib import Path

import pytest

from headrace.net import part as module
from headrace.net.part import DownloadFailed, Part

URL = "http://127.0.0.1/model.gguf"
DATA = b"GGUF and the rest"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf.part"


def begin(path: Path, data: bytes, *, etag: str | None = None, sha256: str | None = None) -> None:
    """Leave a part as a process that was killed would."""
    part = Part(path, URL, sha256)
    part.open()
    part.describe(etag=etag, sha256=sha256, total=len(DATA))
    part.write([data])
    part.close()


def taken_up(path: Path, *, url: str = URL, sha256: str | None = None) -> tuple[int, bool]:
    part = Part(path, url, sha256)
    part.open()
    part.close()
    return part.size, part.known


def test_a_file_in_parts_becomes_one_with_its_hash(path: Path) -> None:
    begin(path, DATA[:5], sha256=SHA256)
    part = Part(path, URL, None)
    part.open()
    assert (part.size, part.total, part.sha256, part.known) == (5, len(DATA), SHA256, True)
    part.write([DATA[5:7], DATA[7:]])
    assert part.finish() == SHA256
    part.place(path.with_name("model.gguf"))
    part.close()
    assert [one.name for one in path.parent.iterdir()] == ["model.gguf"]
    assert path.with_name("model.gguf").read_bytes() == DATA


@pytest.mark.parametrize(("etag", "sha256"), [('"a"', None), (None, SHA256)])
def test_a_part_goes_on_where_the_server_can_tell_its_version(path: Path, etag: str | None, sha256: str | None) -> None:
    begin(path, DATA[:5], etag=etag, sha256=sha256)
    assert taken_up(path) == (5, True)


def test_a_part_of_which_no_version_is_known_is_thrown_away(path: Path) -> None:
    begin(path, DATA[:5])
    assert taken_up(path) == (0, False)
    assert path.stat().st_size == 0


def test_a_part_from_elsewhere_is_thrown_away(path: Path) -> None:
    begin(path, DATA[:5], sha256=SHA256)
    assert taken_up(path, url=URL + "?other") == (0, False)


def test_a_part_of_a_file_with_another_hash_is_thrown_away(path: Path) -> None:
    begin(path, DATA[:5], sha256="0" * 64)
    assert taken_up(path, sha256=SHA256) == (0, False)


def test_a_part_with_an_etag_goes_on_when_a_hash_is_asked_for_later(path: Path) -> None:
    begin(path, DATA[:5], etag='"a"')
    assert taken_up(path, sha256=SHA256) == (5, True)


@pytest.mark.parametrize("label", [None, b"", b"{", b'{"source": 1}'])
def test_a_part_that_nobody_described_is_thrown_away(path: Path, label: bytes | None) -> None:
    path.write_bytes(DATA[:5])
    if label is not None:
        path.with_name("model.gguf.part.json").write_bytes(label)
    assert taken_up(path) == (0, False)


def test_a_part_that_is_longer_than_the_file_is_thrown_away(path: Path) -> None:
    begin(path, DATA + b"more", sha256=SHA256)
    assert taken_up(path) == (0, False)


def test_a_file_with_a_wrong_hash_is_removed(path: Path) -> None:
    begin(path, DATA[:-1] + b"!", sha256=SHA256)
    part = Part(path, URL, None)
    part.open()
    with pytest.raises(DownloadFailed, match=f"{SHA256} was expected") as caught:
        part.finish()
    part.close()
    assert caught.value.code == "wrong_hash"
    assert list(path.parent.iterdir()) == []


def test_a_symlink_in_the_place_of_a_part_is_not_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path.symlink_to(victim)
    with pytest.raises(DownloadFailed) as caught:
        taken_up(path)
    assert caught.value.code == "not_writable"
    assert victim.read_bytes() == b"precious"


def test_only_the_owner_may_read_what_has_come(path: Path) -> None:
    begin(path, DATA)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_without_room_for_the_rest_is_an_error_before_it_is_full(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = os.statvfs(path.parent).f_bavail * os.statvfs(path.parent).f_frsize
    part = Part(path, URL, None)
    part.open()
    part.describe(etag=None, sha256=None, total=1000)
    part.check_room()
    monkeypatch.setattr(module, "SPARE_BYTES", 2 * free)
    with pytest.raises(DownloadFailed, match="no room") as caught:
        part.check_room()
    part.close()
    assert caught.value.code == "no_space"


def test_the_beginning_is_compared_as_far_as_it_is_here(path: Path) -> None:
    part = Part(path, URL, None)
    part.open()
    part.write([b"GG"])
    assert part.begins_with(b"GGUF")
    part.write([b"ML"])
    assert not part.begins_with(b"GGUF")
    part.write([b"more"])
    part.close()
    assert path.read_bytes() == b"GGMLmore"


def test_a_disk_that_refuses_is_named(path: Path) -> None:
    part = Part(path, URL, None)
    part.open()
    path.with_name("model.gguf.part.json.new").mkdir()
    with pytest.raises(DownloadFailed, match="Is a directory"):
        part.describe(etag=None, sha256=None, total=None)
    with open("/dev/full", "r+b", buffering=0) as full:  # noqa: PTH123  a Path cannot be opened so
        part._file = full
        with pytest.raises(DownloadFailed, match="No space left on device") as caught:
            part.write([b"x"])
    part.close()
    assert caught.value.code == "not_writable"


def test_a_folder_in_which_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="cannot be written: No such file or directory"):
        taken_up(tmp_path / "nowhere" / "model.gguf.part")
