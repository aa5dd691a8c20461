"""This package is the page at `/welcome`: it signs a browser in and out, and needs no build.

Its files are for everyone, and name nothing else.
"""

from importlib import resources

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["FILES", "answer", "install"]

FILES = {"/welcome": "index.html", "/welcome.css": "welcome.css", "/welcome.js": "welcome.js"}
"""The paths that are open to everyone, and what is there."""

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_FOLDER = resources.files("headrace.doors.welcome")
_CONTENTS = {name: _FOLDER.joinpath(name).read_bytes() for name in FILES.values()}


def install(app: FastAPI) -> None:
    """Add the page."""

    async def file(request: Request) -> Response:
        return answer(request.scope["path"])

    for path in FILES:
        app.add_route(path, file, include_in_schema=False)


def answer(path: str = "/welcome") -> Response:
    """Return what is at one of the paths of `FILES`."""
    name = FILES[path]
    return Response(_CONTENTS[name], media_type=_TYPES[name.rpartition(".")[2]], headers=_HEADERS)
