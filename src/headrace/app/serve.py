"""This module runs the server: binds, opens, serves, and ends as it should on a signal."""

import asyncio
import contextlib
import errno
import gc
import os
import socket
import sys
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn

from headrace import __version__
from headrace.app import logs
from headrace.app.build import Program, build
from headrace.app.folder import held
from headrace.app.protocol import Protocol
from headrace.app.reach import check_listening, url_of
from headrace.app.settings import Server as ServerSettings
from headrace.app.settings import Settings
from headrace.core.errors import SettingsError

if sys.platform != "win32":
    import resource

    import uvloop

    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
else:
    new_event_loop = asyncio.new_event_loop

__all__ = ["serve"]

logger = structlog.get_logger("headrace.app")

BACKLOG = 4096
"""Connections that may wait to be accepted: 2,000 runs may be started at the same moment."""

OPEN_FILES = 65_536
"""Two for each run and one for each further reader, with room to spare."""

GRACE_S = 2
"""What readers get to receive the end of what was interrupted."""

GC_THRESHOLDS = (20_000, 50, 50)
"""Few and cheap collections: with the default ones a quarter of the time under load goes there."""


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Raises `SettingsError` where it cannot start.

    The first start with access on writes the link with which its admin signs in to standard error.
    """
    check_listening(settings.server)
    logs.configure(level=settings.log.level, form=settings.log.format)
    with held(settings.server.data_dir):
        listeners = [_bind(settings.server.host, settings.server.port, "port")]
        if settings.server.ollama_port is not None:
            listeners.append(_bind(settings.server.host, settings.server.ollama_port, "ollama_port"))
        _raise_file_limit()
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(settings, listeners))
    return 0


async def _serve(settings: Settings, listeners: list[socket.socket]) -> None:
    async with build(settings) as program:
        server = _Server(program, settings.server)
        gc.collect()
        gc.freeze()  # what was built lives as long as the process: no collection need look at it again
        gc.set_threshold(*GC_THRESHOLDS)
        await server.serve(sockets=listeners)


class _Server(uvicorn.Server):
    """uvicorn, but a first signal lets runs end before it closes, and a second one does not wait."""

    def __init__(self, program: Program, settings: ServerSettings) -> None:
        config = uvicorn.Config(
            program.app,
            http=Protocol,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            backlog=BACKLOG,
        )
        super().__init__(config)
        self._loop = asyncio.get_running_loop()
        self._program = program
        self._settings = settings
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        await super().startup(sockets)
        for listener in reversed(sockets or ()):  # so that once it is said to be ready, all of it is
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            if port == self._settings.ollama_port:
                logger.info("server.ollama", url=url)
                continue
            logger.info("server.ready", url=url, version=__version__, pid=os.getpid())
            if self._program.link is not None:
                _tell_link(f"{url_of(self._settings, host=host, port=port)}/#signin={self._program.link}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See `uvicorn.Server`. Runs as a signal handler."""
        del sig, frame
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """Let the runs end; asked again, do not wait for them."""
        if self._draining is not None:
            self._draining.cancel()
        else:
            logger.info("server.draining", seconds=self._settings.drain_s)
            self._drain(self._settings.drain_s)

    def _drain(self, seconds: float) -> None:
        self._draining = self._loop.create_task(self._program.engine.drain(seconds), name="drain")
        self._draining.add_done_callback(self._drained)

    def _drained(self, draining: asyncio.Task[None]) -> None:
        # not in the task itself: one that is cancelled before its first step does nothing at all
        if draining.cancelled():
            self._drain(0)
        else:
            self._program.board.close()
            self.should_exit = True


def _tell_link(link: str) -> None:
    """Write the link for people: it lets in whoever has it first, so it is no line of the log, which others collect."""
    with contextlib.suppress(OSError, ValueError):  # standard error is closed: `headrace invite` makes another
        sys.stderr.write(
            f"Nobody can sign in yet. Whoever opens this link first, within an hour, is the admin:\n{link}\n"
        )
        sys.stderr.flush()


def _bind(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            another = "--port (make run: PORT=)" if setting == "port" else f"`{setting}` in [server]"
            raise SettingsError(f"Port {port} is in use. End what uses it, or take another: {another}.") from error
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    listener.setblocking(False)
    return listener


def _raise_file_limit() -> None:
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
