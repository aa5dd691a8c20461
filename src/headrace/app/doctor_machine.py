"""This module examines what the machine gives: the port, open files, memory, and the time."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import msgspec

from headrace import __version__
from headrace.app.doctor_findings import Finding, ok, problem, warning
from headrace.core.errors import ProviderError
from headrace.net.port import Transport

if sys.platform != "win32":
    import resource

__all__ = ["check_memory", "check_open_files", "check_port", "judge_clock", "judge_memory", "judge_open_files"]

_OPEN_FILES = "open files"
_MEMORY = "memory"
_CLOCK = "clock"
_PROC = Path("/proc")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container
_OWN_FILES = 200  # databases, logs, libraries, and some idle connections
_LISTENS = "0A"  # a socket's state in /proc/net/tcp
_ANSWER_S = 2.0
_SLACK_S = 3600.0  # files that come from another machine may be minutes ahead
_MAX_BYTES = 65_536


class _Health(msgspec.Struct):
    status: str
    version: str


async def check_port(host: str, port: int, transport: Transport) -> Finding:
    """Say whether the server can listen there, or who does."""
    check = f"port {port}"
    if port == 0:
        return ok(check, "The server takes a free port.")
    error = _bind_error(host, port)
    if error is None:
        return ok(check, f"Port {port} of {host} is free.")
    if error.errno != errno.EADDRINUSE:
        return problem(
            check,
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            "Take another port (--port, at least 1024 without special rights) or address (host in [server]).",
        )
    holder = _holder(port)
    health = await _health_of(host, port, transport)
    if health is None:
        return problem(
            check,
            f"Port {port} is in use by another program{f': {holder}' if holder else ''}.",
            "End that program, or take another port: --port, HEADRACE_PORT, or port in [server].",
        )
    what = f"Headrace {health.version} listens on {host}:{port}{f' ({holder})' if holder else ''}."
    if health.version != __version__:
        return warning(check, what, f"This is Headrace {__version__}: start the server again to use it.")
    return ok(check, what)


def check_open_files(runs_max: int) -> list[Finding]:
    """Say whether enough files may be open in this process; nothing where the system does not tell."""
    if sys.platform == "win32":
        return []
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [judge_open_files(None if hard == resource.RLIM_INFINITY else hard, runs_max)]


def judge_open_files(hard: int | None, runs_max: int) -> Finding:
    """Say whether so many open files are enough; None is no limit. The server raises the soft limit by itself."""
    wanted = 2 * runs_max + _OWN_FILES
    if hard is None or hard >= wanted:
        return ok(
            _OPEN_FILES, f"{'Any number of' if hard is None else hard} files may be open; {wanted} may be needed."
        )
    return warning(
        _OPEN_FILES,
        f"Only {hard} files may be open, and {runs_max} answers at once (runs.max) need {wanted}: a connection for each "
        "model and for each reader.",
        "Raise the hard limit (LimitNOFILE=65536 in the service, `ulimit -Hn` in a shell), or lower max in [runs].",
    )


def check_memory(name: str, file_bytes: int) -> list[Finding]:
    """Say whether a model's file fits into the memory; nothing where the system does not tell."""
    try:
        words = (line.split() for line in (_PROC / "meminfo").read_text().splitlines())
        sizes = {word[0].rstrip(":"): int(word[1]) * 1024 for word in words}
        available, total = sizes["MemAvailable"], sizes["MemTotal"]
    except (OSError, KeyError):
        return []
    with contextlib.suppress(OSError, ValueError):  # ValueError: there is no limit
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    return [judge_memory(name, file_bytes, available=min(available, total), total=total)]


def judge_memory(name: str, file_bytes: int, *, available: int, total: int) -> Finding:
    """Say whether a model of this size fits into this memory."""
    has = f"The model {name} takes {_gib(file_bytes)} of memory and more for each conversation"
    smaller = "Take a smaller model, or one that is quantized further (Q4_K_M)."
    if file_bytes > total:
        return problem(_MEMORY, f"{has}; this machine has {_gib(total)} in all.", smaller)
    if file_bytes > available:
        return warning(_MEMORY, f"{has}; {_gib(available)} are free now.", f"End other programs. {smaller}")
    return ok(_MEMORY, f"{has}; {_gib(available)} are free.")


def judge_clock(now_s: float, stamps: Mapping[str, float], jumped_s: float = 0.0) -> Finding:
    """Say whether it can be so late as the clock says.

    `stamps` has when things came about that cannot lie in the future, `jumped_s` by how much the clock was set while
    it was watched.
    """
    remedy = "Set the clock, and let it be kept right (`timedatectl set-ntp true`): chats are ordered by it."
    for name, stamp in stamps.items():
        if stamp > now_s + _SLACK_S:
            behind = (stamp - now_s) / 3600
            return problem(_CLOCK, f"The clock is wrong: {name} is {behind:.0f} hours in its future.", remedy)
    if abs(jumped_s) > 1:
        return warning(_CLOCK, f"The clock jumped by {jumped_s:.0f} s while it was watched.", remedy)
    return ok(_CLOCK, "The clock is not behind what is known.")


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"


def _bind_error(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            return error
    return None


async def _health_of(host: str, port: int, transport: Transport) -> _Health | None:
    """Return what a Headrace says there; None where it is none."""
    url = f"http://[{host}]:{port}/health" if ":" in host else f"http://{host}:{port}/health"
    try:
        async with asyncio.timeout(_ANSWER_S):
            exchange = await transport.open("GET", url)
            try:
                body = await exchange.read(_MAX_BYTES)
            finally:
                exchange.close()
        health = msgspec.json.decode(body, type=_Health)
    except (ProviderError, TimeoutError, msgspec.DecodeError):
        return None
    return health if exchange.status == HTTPStatus.OK else None


def _holder(port: int) -> str | None:
    """Return the process that listens on a port, as `nginx, process 17`, where Linux tells this user."""
    inodes = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _listening(_PROC / "net" / name, port)}
    if not inodes:
        return None
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or it has just ended
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()}, process {process.name}"
    return None


def _listening(table: Path, port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on a port; the form of the table is in proc(5)."""
    with contextlib.suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
