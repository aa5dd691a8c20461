import hashlib
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.app.archive import BadArchive, File, Manifest, extract, write

STORE, JOURNAL = b"store" * 1000, b"journal" * 1000


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(STORE)
    (tmp_path / "b").write_bytes(JOURNAL)
    files = {"headrace.db": tmp_path / "a", "journal.db": tmp_path / "b", "models/a.gguf": tmp_path / "a"}
    write(tmp_path / "backup.tar", files, version="1.2.3", revision="0007", created_at=1_700_000_000_000)
    return tmp_path / "backup.tar"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def member(name: str, content: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def manifest_of(**files: bytes) -> tuple[tarfile.TarInfo, bytes]:
    listed = tuple(
        File(name.replace("_", "."), len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()
    )
    made = Manifest(format=1, version="1", revision="1", created_at=1, files=listed)
    return member("manifest.json", msgspec.json.encode(made))


def tar_of(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "other.tar"
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_what_was_written_comes_out_again(archive: Path, into: Path) -> None:
    manifest = extract(archive, into)
    assert (manifest.version, manifest.revision, manifest.created_at) == ("1.2.3", "0007", 1_700_000_000_000)
    assert manifest.files[0] == File("headrace.db", len(STORE), hashlib.sha256(STORE).hexdigest())
    assert names_in(into) == ["headrace.db", "journal.db", "models/a.gguf"]
    assert (into / "journal.db").read_bytes() == JOURNAL


def test_an_archive_is_a_plain_tar_that_only_its_owner_reads(archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive, "r:") as tar:
        assert tar.getnames() == ["headrace.db", "journal.db", "models/a.gguf", "manifest.json"]
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        assert b'"sha256": "' in listed.read()


def test_an_archive_that_is_there_is_not_written_over(archive: Path) -> None:
    with pytest.raises(FileExistsError):
        write(archive, {}, version="1", revision="1", created_at=1)


def test_a_size_over_eight_gigabytes_can_be_written() -> None:
    info = tarfile.TarInfo("models/large.gguf")
    info.size = 50 * 2**30
    again = tarfile.TarInfo.frombuf(info.tobuf(tarfile.GNU_FORMAT), "utf-8", "strict")
    assert again.size == info.size


@pytest.mark.parametrize(
    "bad",
    [
        member("../headrace.db", b"x"),
        member("/etc/passwd", b"x"),
        member("./headrace.db", b"x"),
        member("other.db", b"x"),
        member("headrace.db/x", b"x"),
        member("models/../headrace.db", b"x"),
        member("models/deep/a.gguf", b"x"),
        member("models/a.sh", b"x"),
        member("models/.gguf", b"x"),
        member("models", type=tarfile.DIRTYPE),
        member("headrace.db", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("headrace.db", type=tarfile.LNKTYPE, linkname="journal.db"),
        member("models/a.gguf", type=tarfile.DIRTYPE),
        member("models/a.gguf", type=tarfile.FIFOTYPE),
        member("models/a.gguf", type=tarfile.CHRTYPE),
        member("models/a.gguf", type=tarfile.CONTTYPE),
        member("models/a.gguf", b"x", pax_headers={"GNU.sparse.major": "0", "GNU.sparse.size": "99999999999"}),
    ],
    ids=lambda bad: f"{bad[0].name} {bad[0].type!r}",
)
def test_nothing_is_made_of_what_a_backup_does_not_have(
    tmp_path: Path, into: Path, bad: tuple[tarfile.TarInfo, bytes]
) -> None:
    before = names_in(tmp_path)
    with pytest.raises(BadArchive, match="no backup"):
        extract(tar_of(tmp_path, bad, manifest_of()), into)
    assert names_in(tmp_path) == sorted([*before, "other.tar"])


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path, into: Path) -> None:
    for twice in (member("headrace.db", b"x"), manifest_of()):
        with pytest.raises(BadArchive, match="no place"):
            extract(tar_of(tmp_path, twice, twice), into)
        for path in into.iterdir():
            path.unlink()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("headrace.db", b"x")], "no manifest"),
        ([], "no manifest"),
        ([member("headrace.db", b"x"), manifest_of(headrace_db=b"y")], "headrace.db is not as it was"),
        ([manifest_of(headrace_db=b"y")], "headrace.db is not as it was"),
        ([member("headrace.db", b"x"), manifest_of()], "does not name: headrace.db"),
        ([member("manifest.json", b"{}")], "manifest of this backup cannot be read"),
        ([member("manifest.json", manifest_of()[1].replace(b'"format":1', b'"format":2'))], "newer version"),
    ],
)
def test_an_archive_to_which_its_manifest_does_not_fit_is_refused(
    tmp_path: Path, into: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    with pytest.raises(BadArchive, match=message):
        extract(tar_of(tmp_path, *members), into)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:5000],
        lambda _: b"",
        lambda data: b"PK\x03\x04" + data,
        lambda data: data.replace(b"journal", b"jourmal", 500),
    ],
    ids=["cut in the middle", "cut early", "empty", "no tar", "changed"],
)
def test_a_damaged_archive_is_refused(archive: Path, into: Path, change: Callable[[bytes], bytes]) -> None:
    archive.write_bytes(change(archive.read_bytes()))
    with pytest.raises(BadArchive):
        extract(archive, into)


def test_a_header_that_asks_for_much_memory_gets_none(tmp_path: Path, into: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 3 * 2**20
    path = tmp_path / "long.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(3 * 2**20 + 1024))
    with pytest.raises(BadArchive, match="a header is too long"):
        extract(path, into)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 255)), min_size=1, max_size=4))
def test_an_archive_with_wrong_bytes_in_it_is_refused_or_means_the_same(
    tmp_path_factory: pytest.TempPathFactory, archive: Path, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(archive.read_bytes())
    for at, change in changes:
        data[at % len(data)] ^= change
    folder = tmp_path_factory.mktemp("changed")
    (folder / "changed.tar").write_bytes(data)
    (folder / "into").mkdir()
    try:
        extract(folder / "changed.tar", folder / "into")
    except BadArchive:
        return
    assert (folder / "into" / "headrace.db").read_bytes() == STORE
    assert (folder / "into" / "journal.db").read_bytes() == JOURNAL
