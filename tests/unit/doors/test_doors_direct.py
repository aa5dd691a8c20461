import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as FrameworkRoute

from headrace.core.errors import NotFound
from headrace.doors.direct import Direct, Route


async def framework(request: Request) -> Response:
    return PlainTextResponse(f"framework: {(await request.body()).decode()}")


async def endpoint(request: Request, place: str) -> Response | None:
    body = (await request.body()).decode()
    match body:
        case "odd":
            return None
        case "missing":
            raise NotFound("There is no chat 7.")
        case "large":
            raise HTTPException(413, "Too much.")
        case "bug":
            raise LookupError("inside")
        case _:
            return PlainTextResponse(f"direct {place}: {body}")


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = Starlette(routes=[FrameworkRoute("/{rest:path}", framework, methods=["GET", "POST"])])
    routes = [Route("/chats/", "/turns", endpoint), Route("/v1/ask", "", endpoint)]
    return httpx.AsyncClient(transport=httpx.ASGITransport(Direct(app, routes)), base_url="http://here")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/chats/7/turns", "direct 7: hi"),
        ("/v1/ask", "direct : hi"),
        ("/chats/7/turns/", "framework: hi"),
        ("/chats/x/turns", "framework: hi"),
        ("/chats//turns", "framework: hi"),
        ("/chats/7/other", "framework: hi"),
        ("/chats/7/turns/8/turns", "framework: hi"),
        ("/else/7/turns", "framework: hi"),
        ("/v1/ask/", "framework: hi"),
        ("/v1/ask/7", "framework: hi"),
    ],
)
async def test_only_its_own_paths_are_taken(client: httpx.AsyncClient, path: str, answer: str) -> None:
    assert (await client.post(path, content="hi")).text == answer


async def test_other_methods_are_the_frameworks(client: httpx.AsyncClient) -> None:
    assert (await client.get("/chats/7/turns")).text == "framework: "


async def test_what_is_not_as_it_should_be_reaches_the_framework_whole(client: httpx.AsyncClient) -> None:
    assert (await client.post("/chats/7/turns", content="odd")).text == "framework: odd"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [("missing", 404, "not_found"), ("large", 413, "too_large"), ("bug", 500, "internal")],
)
async def test_errors_are_answered_in_the_envelope(
    client: httpx.AsyncClient, body: str, status: int, code: str
) -> None:
    reply = await client.post("/chats/7/turns", content=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert "inside" not in reply.text
