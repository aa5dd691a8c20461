"""This module examines the data folder: whether it can be written, how much room there is, and on what it lies."""

import re
import shutil
import stat
import tempfile
from pathlib import Path

from headrace.app.doctor_findings import Finding, ok, problem, warning

__all__ = ["check_folder", "file_system_of", "judge_file_system", "judge_space"]

_FOLDER = "data folder"
_SPACE = "disk space"
_FILE_SYSTEM = "file system"
_MOUNTS = Path("/proc/self/mountinfo")
_LITTLE_BYTES = 1024**3  # weeks of conversations; a model file needs more
_NO_BYTES = 64 * 1024**2  # an hour of many streams, with the write-ahead logs of both databases
_ESCAPED = re.compile(r"\\([0-7]{3})")

# over a network SQLite's locks and its shared memory do not hold what they promise
_NETWORK = frozenset({"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"})
_NETWORK_FUSE = frozenset({"fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"})


def check_folder(data_dir: Path) -> list[Finding]:
    """Examine the data folder. Makes nothing in it that stays."""
    if not data_dir.exists():
        return _check_missing(data_dir)
    if not data_dir.is_dir():
        return [
            problem(
                _FOLDER,
                f"{data_dir} is a file, and no folder.",
                "Move it away, or name another folder: --data-dir, or data_dir in [server].",
            )
        ]
    return [_check_writable(data_dir), *_check_disk(data_dir)]


def judge_space(free_bytes: int, folder: Path) -> Finding:
    """Say whether so much free space is enough."""
    what = f"{free_bytes / 1024**3:.1f} GiB are free where {folder} lies."
    remedy = (
        "Make room, or move the data folder to a larger disk (data_dir in [server]). Old events go by themselves with "
        "keep_days in [journal]."
    )
    if free_bytes < _NO_BYTES:
        return problem(_SPACE, f"Only {free_bytes // 1024**2} MiB are free where {folder} lies.", remedy)
    return warning(_SPACE, f"Only {what}", remedy) if free_bytes < _LITTLE_BYTES else ok(_SPACE, what)


def judge_file_system(kind: str, folder: Path) -> Finding:
    """Say whether SQLite is safe on a file system of this kind, as the system's list of mounts names it."""
    if kind in _NETWORK | _NETWORK_FUSE:
        return warning(
            _FILE_SYSTEM,
            f"{folder} lies on a network file system ({kind}): SQLite's locks do not hold there, and databases break.",
            "Move the data folder to a disk of this machine: data_dir in [server].",
        )
    if kind in {"tmpfs", "ramfs"}:
        return warning(
            _FILE_SYSTEM,
            f"{folder} lies in memory ({kind}): everything is gone when the machine starts again.",
            "Move the data folder to a disk: data_dir in [server].",
        )
    return ok(_FILE_SYSTEM, f"{folder} lies on {kind}.")


def file_system_of(path: Path, mounts: str) -> str | None:
    """Return the kind of the file system of an absolute path, or None where it is not known.

    `mounts` is the text of Linux's `/proc/self/mountinfo`; its form is in proc_pid_mountinfo(5).
    """
    found, kind = Path(), None
    for line in mounts.splitlines():
        fields, _, after = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields.split(" ")[4]))
        # of two mounts at one place the later one is seen
        if path.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, after.split(" ")[0]
    return kind


def _check_missing(data_dir: Path) -> list[Finding]:
    parent = next(folder for folder in data_dir.absolute().parents if folder.exists())
    fault = _fault_of(parent)
    if fault is not None:
        return [
            problem(
                _FOLDER,
                f"There is no {data_dir}, and it cannot be made in {parent}: {fault}.",
                "Make it for the user who runs Headrace, or name another: --data-dir, or data_dir in [server].",
            )
        ]
    return [ok(_FOLDER, f"{data_dir} is made when the server first starts."), *_check_disk(parent)]


def _check_writable(data_dir: Path) -> Finding:
    fault = _fault_of(data_dir)
    if fault is not None:
        return problem(
            _FOLDER,
            f"{data_dir} cannot be written by this user: {fault}.",
            "Give it to the user who runs Headrace (chown), or name another: --data-dir, or data_dir in [server].",
        )
    mode = stat.S_IMODE(data_dir.stat().st_mode)
    if mode & 0o077:
        return warning(
            _FOLDER,
            f"Other users of this machine may look into {data_dir} (mode {mode:03o}): it holds people's conversations.",
            f"chmod 700 {data_dir}",
        )
    return ok(_FOLDER, f"{data_dir} can be written.")


def _check_disk(folder: Path) -> list[Finding]:
    findings = [judge_space(shutil.disk_usage(folder).free, folder)]
    try:
        kind = file_system_of(folder.resolve(), _MOUNTS.read_text())
    except OSError:
        kind = None  # not Linux
    return findings if kind is None else [*findings, judge_file_system(kind, folder)]


def _fault_of(folder: Path) -> str | None:
    """Return why nothing can be written here, or None where it can."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
