import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError
from system.calls import Caller, asked, closed, error_of, marked, text_in
from system.patience import Waiting, waiting
from system.running import config
from system.wire import TERMINAL, Wire, frames_of, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRIES = 3
"""A failure is known within 40 ms, unless the machine has other things to do: of so many tries one must show it."""

THREE = "0 1 2 "

# model, code of run.failed, what its message says, what is kept
IN_MID_ANSWER = [
    ("box/reset-after-3", "upstream_closed", "connection", THREE),
    ("box/eof-after-3", "upstream_closed", "before the answer was complete", THREE),
    ("box/short-after-3", "upstream_closed", "connection", THREE),
    ("box/error-frame-after-3", "upstream_error", "CUDA error: out of memory", THREE),
    ("box/garbage-after-3", "upstream_garbled", "base_url", THREE),
    ("box/silent-after-3", "upstream_silent", "runs.idle_timeout_s", THREE),
    ("box/silent", "upstream_silent", "runs.first_token_timeout_s", ""),
    ("box/no-headers", "upstream_silent", "runs.first_token_timeout_s", ""),
    ("script/pause", "upstream_silent", "runs.idle_timeout_s", "one two "),
]
IN_MID_ANSWER += [
    (model.replace("box/", "ollama/"), code, words, kept)
    for model, code, words, kept in IN_MID_ANSWER
    if model.startswith("box/")
]

# model, code, HTTP status where it can still be sent, what the message says
AT_ONCE: list[tuple[str, str, int, str]] = [
    ("box/eof-after-0", "upstream_closed", 502, "before the answer was complete"),
    ("box/status-400", "upstream_error", 502, "Unknown parameter"),
    ("box/status-401", "bad_key", 502, "key"),
    ("box/status-404", "unknown_model", 404, "does not exist"),
    ("box/status-429", "overloaded", 503, "Rate limit reached"),
    ("box/status-500", "upstream_error", 502, "The server had an error"),
    ("box/status-503", "overloaded", 503, "The server is overloaded"),
    ("box/json-error", "upstream_error", 502, "Provider returned error"),
    ("box/redirect", "upstream_error", 502, "base_url"),
    ("box/not-http", "upstream_garbled", 502, "base_url"),
    ("gone/any", "upstream_refused", 502, "127.0.0.1"),
    ("keyless/any", "bad_key", 502, "HEADRACE_TEST_KEY"),
    ("box/no-such-model", "unknown_model", 404, "does not exist"),
    ("ollama/eof-after-0", "upstream_closed", 502, "before the answer was complete"),
    ("ollama/status-400", "upstream_error", 502, "Unknown parameter"),
    ("ollama/status-401", "bad_key", 502, "key"),
    ("ollama/status-429", "overloaded", 503, "Rate limit reached"),
    ("ollama/status-500", "upstream_error", 502, "The server had an error"),
    ("ollama/status-503", "overloaded", 503, "server busy"),
    ("ollama/json-error", "upstream_error", 502, "Provider returned error"),
    ("ollama/redirect", "upstream_error", 502, "base_url"),
    ("ollama/not-http", "upstream_garbled", 502, "base_url"),
    ("ollama/no-such-model", "unknown_model", 404, "ollama pull no-such-model"),
    ("nobody-has-this", "unknown_model", 404, "GET /api/v1/models"),
    ("script/refuses", "context_too_long", 422, "too long by half"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ollama() -> AsyncIterator[FakeOllama]:
    """A model server that speaks Ollama's own API; its models are named in `fakes.ollama_models`."""
    async with FakeOllama() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hasty(
    tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream, ollama: FakeOllama, scripts: Path
) -> AsyncIterator[Waiting]:
    """Clients of servers that give a silent model up soon, and have a model server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = config(
        box=upstream.base_url,
        scripts=scripts,
        providers__ollama={"kind": "ollama", "base_url": ollama.base_url},
        providers__gone={"kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1"},
        providers__keyless={"kind": "openai", "base_url": upstream.base_url, "api_key_env": "HEADRACE_TEST_KEY"},
    )
    async with waiting(tmp_path_factory.mktemp("hasty"), settings) as callers:
        yield callers


@pytest.fixture
def patient(hasty: Waiting) -> Caller:
    """A client of the one of them that waits long."""
    return hasty.long


async def refused(caller: Caller, model: str) -> Wire:
    async with await caller.stream(await caller.chat(), model=model) as wire:
        await wire.rest()
    return wire


async def check_failed(caller: Caller, run_id: str, code: str, words: str, kept: str) -> dict[str, Any]:
    """Check that log, message and run tell the same failure; return the event that does."""
    frames = frames_of((await caller.http.get(f"/runs/{run_id}/events")).content)
    failed = frames[-1].data
    assert [frame.event for frame in frames if frame.event in TERMINAL] == ["run.failed"]
    assert (frames[-1].event, failed["code"]) == ("run.failed", code)
    assert words in failed["message"]
    assert failed["retryable"] is ProviderError.CODES[code][1]
    assert text_of(frames) == kept

    told = {name: failed[name] for name in ("code", "message", "retryable")}
    run = await caller.get(f"/runs/{run_id}")
    message = await caller.message(run["assistant_message_id"])
    assert (run["status"], run["error"]) == (message["status"], message["error"]) == ("failed", told)
    assert text_in(message) == kept
    return failed


@pytest.mark.parametrize(("model", "code", "words", "kept"), IN_MID_ANSWER)
async def test_a_model_that_fails_in_mid_answer_fails_the_run_and_what_was_made_is_kept(
    hasty: Waiting, model: str, code: str, words: str, kept: str
) -> None:
    caller = hasty.for_model(model)
    turn = await caller.answered(await caller.chat(), model=model)

    await check_failed(caller, turn.run_id, code, words, kept)


@pytest.mark.parametrize(("model", "code", "words"), [(model, code, words) for model, code, _, words in AT_ONCE])
async def test_a_model_that_refuses_fails_the_run_with_the_reason(
    patient: Caller, model: str, code: str, words: str
) -> None:
    turn = await patient.answered(await patient.chat(), model=model)

    await check_failed(patient, turn.run_id, code, words, "")


@pytest.mark.parametrize(("model", "code", "status", "words"), AT_ONCE)
async def test_a_failure_that_is_known_before_the_stream_begins_has_its_true_status(
    patient: Caller, model: str, code: str, status: int, words: str
) -> None:
    tries = [await refused(patient, model) for _ in range(TRIES)]
    wire = max(tries, key=lambda each: each.status)

    assert (wire.status, wire.headers["content-type"]) == (status, "application/json")
    error = wire.json()["error"]
    failed = await check_failed(patient, wire.headers["headrace-run"], code, words, "")
    assert (error["code"], error["message"]) == (code, failed["message"])
    assert ("retry-after" in wire.headers) == (status == 503)


@pytest.mark.parametrize(("model", "code", "words", "kept"), IN_MID_ANSWER)
async def test_a_failure_after_the_stream_has_begun_is_its_last_event(
    hasty: Waiting, model: str, code: str, words: str, kept: str
) -> None:
    caller = hasty.for_model(model)
    async with await caller.stream(await caller.chat(), model=model) as wire:
        frames = await wire.frames()

    assert wire.status == 200
    assert frames[-1].data["code"] == code
    await check_failed(caller, wire.headers["headrace-run"], code, words, kept)


async def test_a_model_that_says_nothing_is_hung_up_on(hasty: Waiting, upstream: FakeUpstream) -> None:
    words = marked()

    await hasty.for_first.answered(await hasty.for_first.chat(), words, model="box/silent")

    await closed(upstream, await asked(upstream, words))


async def test_the_key_that_a_model_server_rejects_is_not_repeated(patient: Caller) -> None:
    turn = await patient.answered(await patient.chat(), model="box/status-401")

    assert b"sk-abcdefghijklmnop" not in await patient.body(turn.run_id)


@pytest.mark.parametrize(
    ("model", "text", "reason"),
    [
        ("box/no-done", "0 1 2 3 4 ", "length"),
        ("box/lingering", "0 1 2 3 4 ", "stop"),
        ("box/no-options", "0 1 2 3 4 ", "stop"),
        ("box/json", "a whole reply", "stop"),
        ("box/loading-1", "0 1 2 3 4 ", "stop"),
        ("box/slow-byte", "".join(f"{number} é\u2028" for number in range(3)), "stop"),
        ("box/utf8-cut", "Zürich \U0001f686 日本\u2028語", "stop"),
        ("box/crlf", "one two", "stop"),
    ],
)
async def test_a_model_server_with_odd_habits_is_no_failure(caller: Caller, model: str, text: str, reason: str) -> None:
    turn = await caller.answered(await caller.chat(), model=model)

    message = await caller.message(turn.answer)
    assert (text_in(message), message["status"], message["finish_reason"]) == (text, "complete", reason)


async def test_a_run_that_failed_leaves_the_chat_free_for_the_next(patient: Caller) -> None:
    chat = await patient.chat()
    failed = await patient.answered(chat, model="box/reset-after-3")

    turn = await patient.answered(chat, model="box/text")

    assert (await patient.message(turn.question))["parent_id"] == failed.answer
    assert (await patient.message(turn.answer))["status"] == "complete"


async def test_a_provider_that_is_down_says_why_and_the_others_go_on(patient: Caller) -> None:
    await patient.answered(await patient.chat(), model="gone/any")

    states = {each["name"]: each for each in (await patient.get("/providers"))["providers"]}
    health = (await patient.root("/health")).json()

    assert (states["gone"]["state"], states["box"]["state"]) == ("down", "up")
    assert "127.0.0.1" in states["gone"]["reason"]
    assert "HEADRACE_TEST_KEY" in states["keyless"]["reason"]
    assert health["providers"]["gone"] == "down"


async def test_an_unknown_model_without_streaming_is_told_by_the_run(patient: Caller) -> None:
    reply = await patient.http.post(
        f"/chats/{await patient.chat()}/turns", json={"content": "Hi", "model": "nobody-has-this"}
    )

    assert reply.status_code == 202
    assert (await patient.frames(reply.json()["run_id"]))[-1].data["code"] == "unknown_model"


async def test_an_error_of_a_door_has_no_run(patient: Caller) -> None:
    async with await patient.stream(999_999) as wire:
        await wire.rest()

    assert wire.status == 404
    assert wire.json()["error"]["code"] == "not_found"
    assert "headrace-run" not in wire.headers


async def test_continue_of_an_unknown_models_answer_is_refused(hasty: Waiting) -> None:
    turn = await hasty.for_next.answered(await hasty.for_next.chat(), model="script/pause")

    reply = await hasty.for_next.http.post(f"/messages/{turn.answer}/continue", json={"model": "nobody-has-this"})

    assert (reply.status_code, error_of(reply)["code"]) == (404, "unknown_model")


async def test_continue_stays_with_the_model_that_was_asked_for_where_none_ever_answered(patient: Caller) -> None:
    turn = await patient.answered(await patient.chat(model="script/pause"), model="nobody-has-this")

    reply = await patient.http.post(f"/messages/{turn.answer}/continue")

    assert (reply.status_code, error_of(reply)["code"]) == (404, "unknown_model")
    assert "nobody-has-this" in error_of(reply)["message"]
