"""This module starts what a measurement needs, each as a process of its own on loopback, and ends what it started."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from headrace.core.errors import ServerError

__all__ = ["Process", "free_port", "headrace", "model_server", "nginx", "stock_nginx", "wait_for"]

READY_S = 20.0
END_S = 15.0

_NGINX = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""

_STOCK = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  gzip on;
  gzip_proxied any;
  gzip_types text/event-stream;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}
}}
"""

_SETTINGS = """\
[journal]
sync = "{sync}"
[runs]
idle_timeout_s = 2.0
[models]
default = "bench/load-r50-n200"
[providers.bench]
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
"""


class Process(NamedTuple):
    """Something that listens: its port, and the processes whose CPU counts."""

    port: int
    pids: tuple[int, ...]


@contextlib.contextmanager
def model_server(folder: Path) -> Iterator[Process]:
    """Run the model server."""
    port = free_port()
    with _started([sys.executable, "-m", "headrace.app.bench.model_server", str(port)], folder, port) as process:
        yield Process(port, (process.pid,))


@contextlib.contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Process | None]:
    """Run nginx, which passes the model server's bytes through; None where it is not installed."""
    if shutil.which("nginx") is None:
        yield None
        return
    with _nginx(folder / "nginx", upstream, _NGINX) as process:
        yield process


@contextlib.contextmanager
def stock_nginx(folder: Path, upstream: int) -> Iterator[Process]:
    """Run nginx as it is when nobody thought of streams. Raises `ServerError` where it is not installed."""
    if shutil.which("nginx") is None:
        raise ServerError("nginx is not installed, or not on the PATH.", code="bench_failed")
    with _nginx(folder / "stock", upstream, _STOCK) as process:
        yield process


@contextlib.contextmanager
def headrace(folder: Path, upstream: int, *, sync: str = "normal", kill: bool = False) -> Iterator[Process]:
    """Run a server with its data in the folder, asking the model server. With `kill` it ends by SIGKILL."""
    config = folder / "headrace.toml"
    config.write_text(_SETTINGS.format(sync=sync, upstream=upstream))
    port = free_port()
    command = [sys.executable, "-m", "headrace", "serve", "--config", str(config), "--port", str(port)]
    command += ["--data-dir", str(folder / "data")]
    # what the shell's environment says of other servers is not this one's
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HEADRACE_") or name == "HEADRACE_COMPILED"  # which is no setting
    }
    environ["HEADRACE_MODELS_DISCOVERY"] = "false"
    with _started(command, folder, port, environ=environ, kill=kill) as process:
        yield Process(port, (process.pid,))


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the port takes connections. Raises `ServerError` where the process ends first, or takes too long."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{process.args!r} did not start.", code="bench_failed") from None
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def _nginx(prefix: Path, upstream: int, text: str) -> Iterator[Process]:
    port, config = free_port(), prefix / "nginx.conf"
    prefix.mkdir()
    config.write_text(text.format(port=port, upstream=upstream))
    command = ["nginx", "-c", str(config), "-p", str(prefix)]
    with _started(command, prefix, port) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Process(port, tuple(map(int, children)))


@contextlib.contextmanager
def _started(
    command: list[str], folder: Path, port: int, *, environ: Mapping[str, str] | None = None, kill: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (folder / "output.log").open("ab") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environ) as process,  # noqa: S603  our own commands
    ):
        try:
            wait_for(port, process)
            yield process
        finally:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
