"""What Ollama answers, how it fails and ends, and the settings that it is asked with."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from fakes.models import Answer, ask, failed
from fakes.ollama import FakeOllama
from fakes.raw import Peer, RawServer
from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import Event, ModelLoading, ModelReady, Reasoning, Text, Timings, ToolCall, Usage
from headrace.net.client import Client
from headrace.net.port import Exchange
from headrace.providers.ollama import Ollama, OllamaSettings

TOKENS: list[Event] = [Text(f"{number} ") for number in range(5)]
USAGE = Usage(
    input_tokens=7,
    output_tokens=5,
    timings=Timings(loading_ms=1, prompt_tokens_per_second=20.0, tokens_per_second=100.0),
)
TAGS = b'{"models":[%b]}'


@pytest.fixture
async def provider(ollama: FakeOllama) -> AsyncIterator[Ollama]:
    provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
    yield provider
    await provider.close()


# answers


async def test_an_answer_is_emitted_as_it_was_sent(provider: Ollama) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("text")) == "stop"
    assert answer.events == [*TOKENS, USAGE]


async def test_the_request_is_that_of_ollamas_chat(provider: Ollama, ollama: FakeOllama) -> None:
    await Answer().of(provider, ask("text", "Hello", temperature=0.5, max_tokens=9))
    request = ollama.of("text")[0]
    assert (request.method, request.path) == ("POST", "/api/chat")
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert request.body == {
        "model": "text",
        "messages": [{"role": "user", "content": "Hello"}],
        "options": {"temperature": 0.5, "num_predict": 9},
        "stream": True,
    }


async def test_the_key_and_the_headers_of_the_settings_are_sent() -> None:
    async with FakeOllama(key="sk-1") as ollama:
        settings = OllamaSettings(base_url=ollama.base_url + "/", api_key="sk-1", headers={"X-Title": "Headrace"})
        provider = Ollama("box", settings)
        assert [model.name for model in await provider.models()] == ["text:latest"]
        assert await Answer().of(provider, ask("text")) == "stop"
        await provider.close()
        assert {request.path for request in ollama.lookups} >= {"/api/tags", "/api/show"}
        assert all(request.headers["x-title"] == "Headrace" for request in [*ollama.requests, *ollama.lookups])


@pytest.mark.parametrize(
    ("model", "text", "reason"),
    [
        ("slow-byte", "0 é\u20281 é\u20282 é\u2028", "stop"),
        ("utf8-cut", "Zürich 🚆 日本\u2028語", "stop"),
        ("crlf", "one two", "stop"),
        ("no-reason", "0 1 2 3 4 ", "stop"),
        ("no-newline", "0 1 2 3 4 ", "length"),
    ],
)
async def test_a_server_with_odd_habits_is_understood(provider: Ollama, model: str, text: str, reason: str) -> None:
    answer = Answer()
    assert await answer.of(provider, ask(model)) == reason
    assert answer.text == text


async def test_a_whole_reply_in_place_of_a_stream_is_an_answer(provider: Ollama) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("json")) == "stop"
    assert answer.events == [Reasoning("hm"), Text("a whole reply"), USAGE]


@pytest.mark.parametrize("model", ["think", "thinking"])
async def test_thoughts_are_told_from_text(provider: Ollama, model: str) -> None:
    answer = Answer()
    await answer.of(provider, ask(model))
    assert "".join(event.delta for event in answer.events if isinstance(event, Reasoning)) == "let me see"
    assert answer.text == "the answer"


async def test_tool_calls_come_whole(provider: Ollama) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("tool")) == "tool_calls"
    assert answer.events == [ToolCall("call_1", "weather", '{"city":"Bern"}'), USAGE]


async def test_a_server_that_keeps_the_body_open_after_the_last_line_holds_nothing_up(
    provider: Ollama, ollama: FakeOllama
) -> None:
    answer = Answer()
    async with asyncio.timeout(1):
        assert await answer.of(provider, ask("lingering")) == "stop"
    assert answer.events == [*TOKENS, USAGE]
    await ollama.closed("lingering")


async def test_connections_serve_one_answer_after_the_other(provider: Ollama, ollama: FakeOllama) -> None:
    for _ in range(3):
        await Answer().of(provider, ask("text"))
    assert ollama.connections <= 2  # one for the answers, one for what is asked beside them


async def test_many_answers_are_made_at_once(provider: Ollama) -> None:
    answers = [Answer() for _ in range(100)]
    reasons = await asyncio.gather(*(answer.of(provider, ask("text-r100-n20")) for answer in answers))
    assert set(reasons) == {"stop"}
    assert {answer.text for answer in answers} == {"".join(f"{number} " for number in range(20))}


# loading


async def test_a_model_that_is_not_loaded_is_said_to_load_until_it_answers(provider: Ollama) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("loading-1")) == "stop"
    assert answer.calls[:2] == [[ModelLoading("loading-1")], [ModelReady("loading-1")]]
    assert answer.events[2:] == [*TOKENS, USAGE]


async def test_a_model_that_cannot_be_loaded_is_never_ready(provider: Ollama) -> None:
    error, answer = await failed(provider, "fails-to-load-1")
    assert answer.events == [ModelLoading("fails-to-load-1")]
    assert (error.code, "requires more system memory" in error.message) == ("upstream_error", True)


@pytest.mark.parametrize("asked", ["loading-1", "loading-1:latest", "Loading-1", "library/loading-1"])
async def test_a_model_that_is_loaded_is_known_by_all_its_names(asked: str) -> None:
    async with FakeOllama(loaded=("loading-1",)) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        waiting = asyncio.create_task(provider._tell_loading(asked, lambda _events: None))
        assert await waiting is False
        await provider.close()


@pytest.mark.parametrize("how", ["silent", "missing"])
async def test_an_answer_waits_for_nothing_that_is_asked_beside_it(how: str) -> None:
    kept: dict[str, Any] = {how: ("/api/ps",)}
    async with FakeOllama(loaded=(), **kept) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        answer = Answer()
        async with asyncio.timeout(1):
            assert await answer.of(provider, ask("text")) == "stop"
        assert answer.events == [*TOKENS, USAGE]
        await provider.close()


async def test_a_model_that_answers_is_not_said_to_load_any_more() -> None:
    async def serve(peer: Peer) -> None:
        head, _ = await peer.request()
        if b"/api/ps" in head:
            await peer.gone()
            asked_in_vain.set()
            return
        await peer.send(b'HTTP/1.1 200 OK\r\n\r\n{"message":{"content":"a"}}\n')
        await asked_in_vain.wait()
        await peer.send(b'{"done":true}\n')

    asked_in_vain = asyncio.Event()
    async with RawServer(serve) as server:
        provider = Ollama("box", OllamaSettings(base_url=server.url.removesuffix("/v1")))
        answer = Answer()
        async with asyncio.timeout(5):
            assert await answer.of(provider, ask("any")) == "stop"
        await provider.close()
    assert answer.events == [Text("a")]


async def test_a_model_that_refuses_is_not_said_to_load(provider: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.providers.ollama._NOTICED_S", 5.0)
    error, answer = await failed(provider, "refuses-to-load-1")
    assert (error.code, answer.events) == ("upstream_error", [])


class Noting:
    """A transport that notes what is asked, in order."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._client = Client()

    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Exchange:
        self.paths.append(urlsplit(url).path)
        return await self._client.open(method, url, headers=headers, body=body)

    async def close(self) -> None:
        await self._client.close()


async def test_what_is_loaded_is_asked_before_the_answer_is(ollama: FakeOllama) -> None:
    transport = Noting()
    provider = Ollama("box", OllamaSettings(base_url=ollama.base_url), transport=transport)
    await Answer().of(provider, ask("text"))
    await provider.close()
    assert transport.paths == ["/api/ps", "/api/chat"]


@pytest.mark.parametrize("model", ["text:cloud", "gpt-oss:120b-cloud"])
async def test_a_model_in_the_cloud_is_never_loaded(model: str) -> None:
    async with FakeOllama(loaded=()) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        await failed(provider, model)
        await provider.close()
        assert not ollama.asked("/api/ps")


async def test_a_model_that_another_server_runs_is_never_loaded() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            head, _ = await peer.request()
            paths.append(head.split()[1].decode())
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(tags), tags))

    tags = TAGS % b'{"name":"mine:latest","remote_host":"https://ollama.com","digest":"d"},{"name":"b","digest":"e"}'
    paths: list[str] = []
    async with RawServer(serve) as server:
        provider = Ollama("box", OllamaSettings(base_url=server.url.removesuffix("/v1")))
        await provider.models()
        for model in ("mine", "b"):
            await failed(provider, model)
        await provider.close()
    assert sorted(paths) == ["/api/chat"] * 2 + ["/api/ps"] + ["/api/show"] * 2 + ["/api/tags"]


async def test_waiting_for_a_model_can_be_cancelled(provider: Ollama, ollama: FakeOllama) -> None:
    loading = asyncio.Event()
    answer = Answer()

    def emit(events: list[Event]) -> None:
        answer.emit(events)
        loading.set()

    waiting = asyncio.create_task(provider.generate(ask("loading-1000"), emit))
    await loading.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (waiting.cancelled(), answer.events) == (True, [ModelLoading("loading-1000")])
    await ollama.closed("loading-1000")


# stopping


@pytest.mark.parametrize("model", ["no-headers", "silent", "silent-after-3", "text-r20-n1000"])
async def test_a_cancelled_answer_closes_its_connections_at_once(
    provider: Ollama, ollama: FakeOllama, model: str
) -> None:
    answer = Answer()
    making = asyncio.create_task(answer.of(provider, ask(model)))
    await ollama.connected(model)
    if model[-1].isdigit():
        await answer.spoke.wait()
    making.cancel()
    await asyncio.wait([making])
    assert making.cancelled()
    await ollama.closed(model)


@pytest.mark.parametrize("model", ["text", "status-500", "no-headers"])
async def test_no_task_outlives_its_answer(model: str) -> None:
    async with FakeOllama(silent=("/api/ps",)) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        making = asyncio.create_task(Answer().of(provider, ask(model)))
        await ollama.connected(model)
        if model == "no-headers":
            making.cancel()
        await asyncio.wait([making])
        assert "box loading" not in {task.get_name() for task in asyncio.all_tasks()}
        await provider.close()


# failures


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("status-404", "unknown_model", "`ollama pull status-404`"),
        ("no-such-model", "unknown_model", "`ollama pull no-such-model`"),
        ("no-tools", "upstream_error", "does not support tools"),
        ("signed-out", "bad_key", "`ollama signin`"),
    ],
)
async def test_a_refusal_of_its_own_has_its_code_and_the_remedy(
    provider: Ollama, model: str, code: str, words: str
) -> None:
    error, answer = await failed(provider, model)
    assert (error.code, answer.events) == (code, [])
    assert words in error.message


async def broken_off(body: bytes) -> tuple[Answer, str]:
    """Return what is made of an answer whose connection breaks after this much of its body, and how it ends."""

    async def serve(peer: Peer) -> None:
        head, _ = await peer.request()
        if b"/api/chat" in head:
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + body)

    answer = Answer()
    async with RawServer(serve) as server:
        provider = Ollama("box", OllamaSettings(base_url=server.url.removesuffix("/v1")))
        try:
            return answer, await answer.of(provider, ask("any"))
        except ProviderError as error:
            return answer, error.code
        finally:
            await provider.close()


@pytest.mark.parametrize("end", [b"\n", b""])
async def test_a_break_after_the_last_line_is_an_end(end: bytes) -> None:
    answer, reason = await broken_off(b'{"message":{"content":"a"}}\n{"done":true,"done_reason":"stop"}' + end)
    assert (answer.text, reason) == ("a", "stop")


async def test_what_was_held_back_in_doubt_is_emitted_when_the_connection_breaks() -> None:
    answer, reason = await broken_off(b'{"message":{"content":"<th"}}\n{"message":{"cont')
    assert (answer.text, reason) == ("<th", "upstream_closed")


# continuing


async def test_an_answer_is_continued_without_thinking(provider: Ollama, ollama: FakeOllama) -> None:
    await Answer().of(provider, ask("text", after="Once"))
    body = ollama.of("text")[0].body
    assert body["messages"][-1] == {"role": "assistant", "content": "Once"}
    assert body["think"] is False


async def test_a_tag_within_a_continued_answer_is_text(provider: Ollama) -> None:
    answer = Answer()
    await answer.of(provider, ask("think", after="The tag "))
    assert answer.text.startswith("<think>let me see")


# settings


def test_the_address_is_that_of_an_ollama_on_this_machine_unless_it_is_given() -> None:
    assert OllamaSettings().base_url == "http://127.0.0.1:11434"
    assert "sk-secret" not in repr(OllamaSettings(api_key="sk-secret", headers={"X-Key": "sk-secret"}))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (OllamaSettings(base_url="127.0.0.1:11434"), "must look like"),
        (OllamaSettings(base_url="http://a:11434/v1"), "the address alone: http://a:11434."),
        (OllamaSettings(base_url="http://a/ollama/api/"), "the address alone: http://a/ollama."),
        (OllamaSettings(headers={"Bad Name": "x"}), "Not a header's name"),
        (OllamaSettings(api_key="line\nbreak"), "Authorization"),
    ],
)
def test_settings_that_cannot_be_sent_are_refused(settings: OllamaSettings, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Ollama("box", settings)
