from pathlib import Path

import pytest

from headrace.app.doctor_folder import file_system_of, judge_file_system, judge_space

MOUNTS = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /srv rw - xfs /dev/vdb rw
31 30 0:27 / /srv/my\040chats rw,relatime shared:7 master:3 - nfs4 box:/chats rw
32 22 0:28 / /srvx rw - tmpfs tmpfs rw
33 30 0:29 / /srv rw - btrfs /dev/vdc rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada", "ext4"),
        ("/srv/data", "btrfs"),
        ("/srv/my chats/data", "nfs4"),
        ("/srvx", "tmpfs"),
        ("/srv/my chatsx", "btrfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "status"), [("ext4", "ok"), ("nfs4", "warning"), ("fuse.sshfs", "warning"), ("tmpfs", "warning")]
)
def test_databases_do_not_belong_on_a_network_nor_in_memory(kind: str, status: str) -> None:
    finding = judge_file_system(kind, Path("/data"))
    assert finding.status == status
    assert kind in finding.what
    assert status == "ok" or "data_dir in [server]" in str(finding.remedy)


@pytest.mark.parametrize(("free", "status"), [(50 * 2**30, "ok"), (2**29, "warning"), (2**20, "problem")])
def test_little_space_is_told_before_it_is_none(free: int, status: str) -> None:
    finding = judge_space(free, Path("/data"))
    assert finding.status == status
    assert status == "ok" or "keep_days" in str(finding.remedy)
