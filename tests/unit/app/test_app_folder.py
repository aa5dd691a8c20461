import os
import stat
from pathlib import Path

import pytest

from headrace.app import folder
from headrace.app.folder import check_room, held, sync
from headrace.core.errors import SettingsError


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with held(tmp_path / "deep" / "data"):
        assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700


def test_one_process_at_a_time_holds_it(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(SettingsError, match="Another Headrace uses"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(SettingsError, match="cannot be made"), held(tmp_path / "data"):
        pass


def test_room_on_the_disk_is_asked_for_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path, 0)
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    monkeypatch.setattr(folder, "SPARE_BYTES", free * 2)
    with pytest.raises(SettingsError, match="no room"):
        check_room(tmp_path, 1)


def test_files_and_folders_can_be_made_durable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    sync(tmp_path / "file")
    sync(tmp_path)
