"""This module shows the API's documentation at `/docs`, with assets of our own: nothing is fetched from elsewhere."""

from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

__all__ = ["OPENAPI_URL", "install"]

OPENAPI_URL = "/openapi.json"

_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}


def install(app: FastAPI) -> None:
    """Add `/docs` and its assets."""

    async def docs(_request: Request) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=OPENAPI_URL,
            title="Headrace API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
        )

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404)
        headers = {"cache-control": "max-age=86400", "x-content-type-options": "nosniff"}
        return Response(_files().joinpath(name).read_bytes(), media_type=_ASSETS[name], headers=headers)

    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/docs/assets/{name}", asset, include_in_schema=False)


def _files() -> Traversable:
    # the package exists to carry these files; it is not imported
    return resources.files("fastapi_offline").joinpath("static")
