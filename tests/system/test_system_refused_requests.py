"""What OpenAI's and Ollama's doors say where the model's server refuses the request itself."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio

from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from system.calls import Caller
from system.inprocess import serving
from system.running import config

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAT, TEXT, VECTORS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
OPENAI = (CHAT, TEXT, VECTORS)
OLLAMA = ("/ollama/api/chat", "/ollama/api/generate", "/ollama/api/embed")

MAX_MESSAGE = 700


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A model server for these tests alone: others look through all that theirs was asked."""
    async with FakeUpstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> AsyncIterator[Caller]:
    """A client of a server that asks a server of either kind."""
    async with FakeOllama() as ollama:
        settings = config(box=upstream.base_url, providers__ollama={"kind": "ollama", "base_url": ollama.base_url})
        async with serving(tmp_path_factory.mktemp("both"), settings) as url, Caller(url) as calling:
            yield calling


def body_of(path: str, model: str, *, stream: bool = False) -> dict[str, Any]:
    asked: dict[str, Any] = {"prompt": "Hello"}
    if path.endswith(("/chat", "/chat/completions")):
        asked = {"messages": [{"role": "user", "content": "Hello"}]}
    elif path in {VECTORS, "/ollama/api/embed"}:
        return {"model": model, "input": "Hello"}
    return {"model": model, **asked, "stream": stream}


async def post(caller: Caller, path: str, model: str, *, stream: bool = False) -> httpx.Response:
    return await caller.http.post(f"{caller.url}{path}", json=body_of(path, model, stream=stream))


def error_in(reply: httpx.Response) -> dict[str, Any]:
    """Return OpenAI's error object of a reply, or of a stream's last frame before its end."""
    if reply.headers["content-type"].startswith("application/json"):
        error: dict[str, Any] = reply.json()["error"]
    else:
        error = json.loads(reply.text.split("\n\n")[-3].removeprefix("data: "))["error"]
    return error


def message_in(reply: httpx.Response) -> str:
    error = reply.json()["error"]
    return str(error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", OPENAI)
@pytest.mark.parametrize(
    ("status", "param", "code", "words"),
    [
        (400, "foo", "unknown_parameter", "Unknown parameter: 'foo'"),
        (413, None, "request_too_big", "too many bytes"),
        (422, "foo", "upstream_error", "Not a number: 'foo'"),
    ],
)
async def test_what_it_refuses_is_the_callers_to_mend(
    both: Caller, path: str, status: int, param: str | None, code: str, words: str, *, stream: bool
) -> None:
    reply = await post(both, path, f"box/status-{status}", stream=stream)

    error = error_in(reply)
    if not stream or path == VECTORS:  # a stream may have begun by then
        assert (reply.status_code, reply.headers["x-should-retry"]) == (400, "false")
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert words in error["message"]


@pytest.mark.parametrize("path", OLLAMA)
@pytest.mark.parametrize("provider", ["box", "ollama"])
async def test_ollamas_clients_are_told_as_much(both: Caller, path: str, provider: str) -> None:
    reply = await post(both, path, f"{provider}/status-400")
    assert (reply.status_code, reply.json().keys()) == (400, {"error"})
    assert "Unknown parameter: 'foo'" in message_in(reply)


@pytest.mark.parametrize("path", [CHAT, VECTORS])
async def test_their_own_client_raises_and_asks_no_second_time(both: Caller, upstream: FakeUpstream, path: str) -> None:
    before = len(upstream.of("status-400"))
    async with openai.AsyncOpenAI(base_url=f"{both.url}/v1", api_key="none", max_retries=3) as client:
        asking = {
            CHAT: client.chat.completions.create(
                model="box/status-400", messages=[{"role": "user", "content": "Hello"}]
            ),
            VECTORS: client.embeddings.create(model="box/status-400", input="Hello"),
        }
        asked = asking.pop(path)
        for other in asking.values():
            other.close()
        with pytest.raises(openai.BadRequestError) as raised:
            await asked
    assert (raised.value.param, raised.value.code) == ("foo", "unknown_parameter")
    assert len(upstream.of("status-400")) == before + 1


@pytest.mark.parametrize("path", [*OPENAI, *OLLAMA])
@pytest.mark.parametrize("status", [401, 403])
async def test_our_key_is_not_the_callers_fault(both: Caller, path: str, status: int) -> None:
    reply = await post(both, path, f"box/status-{status}")
    assert reply.status_code == httpx.codes.BAD_GATEWAY
    assert "key" in message_in(reply)


@pytest.mark.parametrize("path", [*OPENAI, *OLLAMA])
async def test_a_limit_is_told_with_the_time_to_wait(both: Caller, path: str) -> None:
    limited = await post(both, path, "box/status-429")
    busy = await post(both, path, "box/status-503")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    if path in OPENAI:
        error = limited.json()["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert limited.headers["x-should-retry"] == "true"


@pytest.mark.parametrize("path", [*OPENAI, *OLLAMA])
@pytest.mark.parametrize("status", [400, 429, 500])
async def test_neither_keys_nor_addresses_of_it_are_told(
    both: Caller, upstream: FakeUpstream, path: str, status: int
) -> None:
    message = message_in(await post(both, path, f"box/tells-{status}"))
    for secret in ("sk-abc", "127.0.0.1", "10.1.2.3", str(upstream.port)):
        assert secret not in message
    assert len(message) < MAX_MESSAGE


async def test_in_mid_stream_the_frame_tells_as_much(both: Caller) -> None:
    reply = await post(both, CHAT, "box/slow-400", stream=True)

    error = error_in(reply)
    assert (reply.status_code, reply.text.split("\n\n")[-2:]) == (200, ["data: [DONE]", ""])
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "foo", "unknown_parameter")


async def test_our_own_api_says_what_it_said_before(both: Caller) -> None:
    chat = await both.chat()
    async with await both.stream(chat, model="box/status-400") as wire:
        error = json.loads(await wire.rest())["error"]
    assert (wire.status, error["code"], error["details"]["retryable"]) == (502, "upstream_error", True)
