"""This package is the page at `/`: it signs a browser in and out. Its files are for everyone, and name nothing else."""

from importlib import resources

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["FILES", "install"]

FILES = {"/": "index.html", "/welcome.css": "welcome.css", "/welcome.js": "welcome.js"}
"""The paths that are open to everyone, and what is there."""

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def install(app: FastAPI) -> None:
    """Add the page."""
    folder = resources.files("headrace.doors.welcome")
    contents = {path: folder.joinpath(name).read_bytes() for path, name in FILES.items()}

    async def file(request: Request) -> Response:
        path = request.scope["path"]
        kind = _TYPES[FILES[path].rpartition(".")[2]]
        return Response(contents[path], media_type=kind, headers=_HEADERS)

    for path in FILES:
        app.add_route(path, file, include_in_schema=False)
