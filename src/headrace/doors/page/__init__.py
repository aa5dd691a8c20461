"""This package is the page at `/`, as the build of `web/` leaves it in `dist/`. Its files are for everyone.

Where it was not built, the small page of `doors.welcome` stands in its place and signs a browser in.
"""

import asyncio
from collections.abc import Mapping
from hashlib import blake2b
from importlib import resources
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from headrace.core.errors import NotFound
from headrace.doors import welcome

__all__ = ["FILES", "PREFIX", "install", "is_open"]

FILES = "/page/"
"""Below this path are the page's own files."""

PREFIX = "/chat/"
"""Below this path is a chat, by its number."""

_PATHS = ("/", "/chat")
_DIST = Path(str(resources.files("headrace.doors.page"))) / "dist"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SECURITY = {"referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_INDEX = "index.html"
_DIAGRAM = "diagram.html"
# Mermaid writes styles into the picture that it draws: it does so in a frame that has no origin and reaches nothing
_DIAGRAM_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


def is_open(path: str) -> bool:
    """Return whether this is one of the page's paths: all of them are open to everyone."""
    return path in _PATHS or path.startswith((FILES, PREFIX)) or path in welcome.FILES


def install(app: FastAPI, folder: Path = _DIST) -> None:
    """Add the page, and that of `doors.welcome`, which stands at its addresses too where `folder` has none."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in _TYPES}

    async def page(request: Request) -> Response:
        return await _answer(request, files, _INDEX) if _INDEX in files else welcome.answer()

    async def file(request: Request) -> Response:
        return await _answer(request, files, request.path_params["name"])

    for path in (*_PATHS, PREFIX + "{number:int}"):
        app.add_route(path, page, include_in_schema=False)
    welcome.install(app)
    app.add_route(FILES + "{name:path}", file, include_in_schema=False)


async def _answer(request: Request, files: Mapping[str, Path], name: str) -> Response:
    path = files.get(name)
    if path is None:
        raise NotFound("The page has no such file.")
    headers = {**_SECURITY, "content-security-policy": _DIAGRAM_POLICY if name == _DIAGRAM else _POLICY}
    # what Vite puts there has its contents' hash in its name
    if name.startswith("assets/"):
        headers["cache-control"] = "public, max-age=31536000, immutable"
    else:
        headers["cache-control"] = "no-cache"
    content, zipped = await asyncio.to_thread(_read, path, zipped="gzip" in request.headers.get("accept-encoding", ""))
    headers["etag"] = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    headers["vary"] = "accept-encoding"
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["content-encoding"] = "gzip"
    return Response(content, media_type=_TYPES[path.suffix], headers=headers)


def _read(path: Path, *, zipped: bool) -> tuple[bytes, bool]:
    """Return a file as it goes out, and whether it is compressed: the build left it so beside the plain one."""
    shrunk = path.with_name(path.name + ".gz")
    if zipped and shrunk.is_file():
        return shrunk.read_bytes(), True
    return path.read_bytes(), False
