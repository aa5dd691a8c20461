"""This module puts real proxies in front of a server: nginx, Caddy where it is installed, and one that buffers everything."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes.raw import Peer, RawServer

__all__ = [
    "DEPLOY",
    "PASSWORD",
    "STOCK",
    "USER",
    "caddy",
    "caddy_deployed",
    "holding",
    "nginx",
    "nginx_deployed",
    "replaced",
]

DEPLOY = Path(__file__).parents[2] / "deploy"
USER, PASSWORD = "ada", "difference"
READY_S = 20.0

STOCK = """
gzip on;
gzip_types text/event-stream;
gzip_proxied any;
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {server}; }} }}
"""
"""nginx as it is when nobody thought of streams: it buffers, and even compresses them."""

_NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {inner}
}}
"""


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Return the text with every one of these changes; one that has nothing to change is an error."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextlib.asynccontextmanager
async def nginx(folder: Path, port: int, inner: str) -> AsyncIterator[str]:
    """Run nginx with this text within `http` and yield the URL of the port that the text listens on."""
    # Debian keeps it in /usr/sbin, which is not on every PATH
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs nginx")
    config = _written(folder / "nginx.conf", _NGINX.format(folder=folder, inner=inner))
    async with _running([program, "-c", str(config), "-p", str(folder)], folder, port) as url:
        yield url


def nginx_deployed(folder: Path, port: int, server: str) -> str:
    """Return deploy/nginx.conf as it can run here: without TLS, with a user, in front of `server`."""
    users = folder / "htpasswd"
    users.write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    return replaced(
        (DEPLOY / "nginx.conf").read_text(),
        {
            "127.0.0.1:8000": urlsplit(server).netloc,
            "listen 443 ssl;": f"listen 127.0.0.1:{port};",
            "ssl_certificate /etc/ssl/chat.example.pem;": "",
            "ssl_certificate_key /etc/ssl/chat.example.key;": "",
            "/etc/nginx/headrace.htpasswd": str(users),
        },
    )


@contextlib.asynccontextmanager
async def caddy(folder: Path, port: int, text: str) -> AsyncIterator[str]:
    """Run Caddy with this Caddyfile and yield the URL of the port that the text listens on."""
    config = _written(folder / "Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\n" + text)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    async with _running(command, folder, port) as url:
        yield url


def caddy_deployed(port: int, server: str) -> str:
    """Return deploy/Caddyfile as it can run here; see `nginx_deployed`."""
    hashed = subprocess.check_output(["caddy", "hash-password", "--plaintext", PASSWORD], text=True).strip()
    major, minor = subprocess.check_output(["caddy", "version"], text=True).lstrip("v").split(".")[:2]
    directive = "basicauth" if (int(major), int(minor)) < (2, 8) else "basic_auth"
    return replaced(
        (DEPLOY / "Caddyfile").read_text(),
        {
            "chat.example": f"http://127.0.0.1:{port}",
            "127.0.0.1:8000": urlsplit(server).netloc,
            "basic_auth": directive,
            "name $2a$14$REPLACE.THIS.BY.WHAT.caddy.hash-password.PRINTS": f"{USER} {hashed}",
        },
    )


@contextlib.asynccontextmanager
async def holding(server: str) -> AsyncIterator[str]:
    """Run a proxy that passes a reply on when it has it whole, and yield its URL."""
    target = urlsplit(server)

    async def serve(peer: Peer) -> None:
        head, body = await peer.request()
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        try:
            writer.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
            await peer.send(await reader.read(-1))
        finally:
            writer.close()

    async with RawServer(serve) as proxy:
        yield f"http://127.0.0.1:{proxy.port}"


@contextlib.asynccontextmanager
async def _running(command: Sequence[str], folder: Path, port: int) -> AsyncIterator[str]:
    """Run a proxy until the end, and yield its URL once it listens."""
    log = folder / "log"
    with log.open("wb") as output:
        environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environ)
    try:
        await _listens(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            assert process.returncode is None, _read(log)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def _read(path: Path) -> str:
    return path.read_text()
