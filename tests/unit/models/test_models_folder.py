import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.core.errors import BadField, Conflict
from headrace.models.folder import ModelFolder, checked_name
from headrace.net.part import DownloadFailed


@pytest.mark.parametrize("name", ["a.gguf", "Qwen3.5-0.8B-Q4_K_M.gguf", "a b (1).GGUF", "_x@y=z+w.gguf"])
def test_a_name_of_a_file_is_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".gguf",
        "a.bin",
        "../a.gguf",
        "a/b.gguf",
        "a\\b.gguf",
        "/etc/a.gguf",
        "C:a.gguf",
        "a..gguf",
        ".a.gguf",
        "-a.gguf",
        "a\n.gguf",
        "a\0.gguf",
        "a.gguf\n",
        "\x1b[31ma.gguf",
        "\uff41.gguf",
        "a" * 300 + ".gguf",
    ],
)
def test_a_name_that_could_lead_astray_is_refused(name: str) -> None:
    with pytest.raises(BadField) as caught:
        checked_name(name)
    assert caught.value.message.isprintable()


def test_a_file_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "models")
    with folder.claimed("a.gguf") as target, folder.claimed("b.gguf"):
        assert target == tmp_path / "models" / "a.gguf"
        with pytest.raises(Conflict) as caught, ModelFolder(folder.path).claimed("a.gguf"):
            pass
        assert caught.value.code == "pull_busy"
    with folder.claimed("a.gguf"):
        pass
    assert list(folder.path.iterdir()) == []


def test_a_file_is_claimed_against_other_processes(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from headrace.models.folder import ModelFolder\n"
        "with ModelFolder(Path(sys.argv[1])).claimed('a.gguf'):\n"
        "    print('claimed', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"claimed\n"
        with pytest.raises(Conflict), ModelFolder(tmp_path).claimed("a.gguf"):
            pass
        other.kill()
    with ModelFolder(tmp_path).claimed("a.gguf"):
        pass


def test_a_bad_name_claims_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadField), ModelFolder(tmp_path / "models").claimed("../a.gguf"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(DownloadFailed, match="cannot be made"), ModelFolder(tmp_path / "models").claimed("a.gguf"):
        pass


def test_the_same_file_is_known_by_its_hash(tmp_path: Path) -> None:
    folder, target = ModelFolder(tmp_path), tmp_path / "a.gguf"
    assert not folder.is_there(target, None)
    target.write_bytes(b"GGUF a")
    assert folder.is_there(target, hashlib.sha256(b"GGUF a").hexdigest())


@pytest.mark.parametrize("sha256", ["0" * 64, None])
def test_a_file_that_may_be_another_is_not_written_over(tmp_path: Path, sha256: str | None) -> None:
    target = tmp_path / "a.gguf"
    target.write_bytes(b"GGUF a")
    with pytest.raises(Conflict, match="another name") as caught:
        ModelFolder(tmp_path).is_there(target, sha256)
    assert caught.value.code == "file_exists"


def test_a_symlink_that_leads_nowhere_is_not_written_over_either(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").symlink_to(tmp_path / "nowhere")
    with pytest.raises(Conflict):
        ModelFolder(tmp_path).is_there(tmp_path / "a.gguf", None)
    with pytest.raises(DownloadFailed, match="cannot be read"):
        ModelFolder(tmp_path).is_there(tmp_path / "a.gguf", "0" * 64)
