import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.models import CONTEXT, Answer, ask
from fakes.processes import ended
from headrace.core.errors import ProviderError
from headrace.core.events import ModelLoading, ModelReady
from headrace.net import http
from headrace.providers.builtin import model_file
from headrace.providers.embedded import Embedded, EmbeddedSettings, _cores
from headrace.providers.embedded_engine import Engine
from headrace.providers.embedded_pipe import Launch, encode

MODEL = "headrace-tiny"
LOADED = [ModelLoading(MODEL), ModelReady(MODEL)]
SLOW_CONTEXT = 300_000  # tokens: llama.cpp takes a second to clear the memory for them

pytestmark = pytest.mark.engine


@pytest.fixture
async def provider() -> AsyncIterator[Embedded]:
    provider = Embedded("mine", EmbeddedSettings(path=model_file(), threads=1))
    yield provider
    await provider.close()


def engine_of(provider: Embedded) -> Engine:
    running = provider._supervisor.running
    assert running is not None
    return running.engine


async def failed(provider: Embedded, model: str = MODEL) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await Answer().of(provider, ask(model))
    return caught.value


# answers


async def test_the_first_answer_waits_for_the_model_and_says_so(provider: Embedded) -> None:
    first, second = Answer(), Answer()
    assert await first.of(provider, ask(MODEL, max_tokens=5)) == "length"
    assert await second.of(provider, ask(MODEL, max_tokens=5)) == "length"
    assert first.events[:2] == LOADED
    assert first.text
    assert not [event for event in second.events if event in LOADED]


async def test_a_model_that_was_loaded_before_answers_at_once(provider: Embedded) -> None:
    await provider.start()
    await provider.start()
    answer = Answer()
    await answer.of(provider, ask(MODEL, max_tokens=5))
    assert not [event for event in answer.events if event in LOADED]


async def test_what_the_model_can_read_is_known_once_it_is_loaded(provider: Embedded) -> None:
    assert [(model.name, model.context_length) for model in await provider.models()] == [(MODEL, None)]
    await provider.start()
    assert [(model.name, model.context_length) for model in await provider.models()] == [(MODEL, CONTEXT)]


async def test_every_answer_has_the_context_of_the_settings() -> None:
    provider = Embedded("mine", EmbeddedSettings(path=model_file(), threads=1, context=256, parallel=3))
    await provider.start()
    (model,) = await provider.models()
    await provider.close()
    assert (model.context_length, provider.slots) == (256, 3)


async def test_an_unfinished_answer_goes_on(provider: Embedded) -> None:
    answer = Answer()
    await answer.of(provider, ask(MODEL, after=", there was a", temperature=0, max_tokens=5))
    assert answer.text.startswith(" small")


async def test_more_than_the_model_can_read_is_too_long(provider: Embedded) -> None:
    with pytest.raises(ProviderError) as caught:
        await Answer().of(provider, ask(MODEL, "Once upon a time " * 300))
    assert caught.value.code == "context_too_long"


async def test_another_model_is_unknown(provider: Embedded) -> None:
    error = await failed(provider, "other")
    assert (error.code, MODEL in error.message) == ("unknown_model", True)


async def test_all_who_wait_share_one_load(provider: Embedded) -> None:
    answers = [Answer() for _ in range(4)]
    asking = [asyncio.create_task(answer.of(provider, ask(MODEL, max_tokens=5))) for answer in answers]
    impatient = asyncio.create_task(Answer().of(provider, ask(MODEL, max_tokens=5)))
    await asyncio.sleep(0)
    assert (provider.state, provider.reason) == ("loading", "The model is being loaded.")
    impatient.cancel()
    await asyncio.gather(*asking)
    assert impatient.cancelled()
    assert all(answer.events[:2] == LOADED for answer in answers)
    assert (provider.state, provider.reason) == ("up", None)


def test_there_is_a_thread_for_each_core_at_most() -> None:
    assert 1 <= _cores() <= (os.cpu_count() or 1)


# files


async def test_a_missing_file_is_named_with_the_remedy_and_may_come(tmp_path: Path) -> None:
    path = tmp_path / f"{MODEL}.gguf"
    provider = Embedded("mine", EmbeddedSettings(path=path, threads=1))
    error = await failed(provider)
    with pytest.raises(ProviderError) as caught:
        await provider.models()
    assert (error.code, caught.value.code) == ("unknown_model", "unknown_model")
    assert str(path) in error.message
    shutil.copy(model_file(), path)
    assert await Answer().of(provider, ask(MODEL, max_tokens=1)) == "length"
    await provider.close()


@pytest.mark.parametrize(
    ("size", "why"), [(0, "failed to read magic"), (600_000, "corrupted or incomplete")], ids=["empty", "cut"]
)
async def test_a_bad_file_is_named_with_the_engines_own_reason(tmp_path: Path, size: int, why: str) -> None:
    path = tmp_path / f"{MODEL}.gguf"
    path.write_bytes(model_file().read_bytes()[:size])
    provider = Embedded("mine", EmbeddedSettings(path=path, threads=1))
    error = await failed(provider)
    assert error.code == "engine_died"
    assert str(path) in error.message
    assert why in error.message
    assert (provider.state, provider.reason) == ("down", error.message)
    await provider.close()


async def test_a_file_that_keeps_failing_is_tried_less_and_less_often(tmp_path: Path) -> None:
    path = tmp_path / f"{MODEL}.gguf"
    path.touch()
    provider = Embedded("mine", EmbeddedSettings(path=path, threads=1))
    for _ in range(2):
        await failed(provider)
    answer = Answer()
    with pytest.raises(ProviderError, match=r"It can be tried again in \d s") as caught:
        await answer.of(provider, ask(MODEL))
    assert (caught.value.code, answer.events) == ("engine_died", [])
    await provider.close()


# the child


@pytest.mark.parametrize(("program", "words"), [("/bin/false", "it said nothing"), ("/no/such", "cannot be started")])
async def test_a_child_that_does_not_come_up_fails_with_what_is_known(
    program: str, words: str, provider: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    error = await failed(provider)
    assert (error.code, words in error.message) == ("engine_died", True)


async def test_an_engine_that_dies_fails_its_answers_and_starts_again(provider: Embedded) -> None:
    await provider.start()
    answers = [Answer() for _ in range(2)]
    asking = [asyncio.create_task(answer.of(provider, ask(MODEL, max_tokens=400))) for answer in answers]
    await asyncio.gather(*(answer.spoke.wait() for answer in answers))
    os.kill(engine_of(provider).pid, signal.SIGKILL)
    errors = await asyncio.gather(*asking, return_exceptions=True)
    for error in errors:
        assert isinstance(error, ProviderError)
        assert error.code == "engine_died"
        assert "SIGKILL" in error.message
    again = Answer()
    assert await again.of(provider, ask(MODEL, max_tokens=5)) == "length"
    assert again.events[:2] == LOADED


async def test_an_engine_that_dies_unseen_is_started_again(provider: Embedded) -> None:
    await provider.start()
    engine = engine_of(provider)
    os.kill(engine.pid, signal.SIGKILL)
    assert await engine.died(5)
    assert await Answer().of(provider, ask(MODEL, max_tokens=5)) == "length"
    assert engine_of(provider).pid != engine.pid


async def test_an_engine_outlives_signals_to_the_whole_group(provider: Embedded) -> None:
    await provider.start()
    answer = Answer()
    asking = asyncio.create_task(answer.of(provider, ask(MODEL, max_tokens=100)))
    await answer.spoke.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(engine_of(provider).pid, number)
    assert await asking in {"length", "stop"}
    assert engine_of(provider).alive


async def test_stopping_ends_the_child_and_the_next_answer_starts_another(provider: Embedded) -> None:
    await provider.start()
    pid = engine_of(provider).pid
    await provider.stop()
    await ended(pid)
    assert provider.state == "up"
    answer = Answer()
    await answer.of(provider, ask(MODEL, max_tokens=5))
    assert answer.events[:2] == LOADED


async def test_stopping_fails_the_answers_in_the_making(provider: Embedded) -> None:
    answer = Answer()
    asking = asyncio.create_task(answer.of(provider, ask(MODEL, max_tokens=400)))
    await answer.spoke.wait()
    await provider.stop()
    with pytest.raises(ProviderError, match="stopped in mid-answer") as caught:
        await asking
    assert caught.value.code == "engine_died"


@pytest.mark.parametrize("turns", [0, 1, 50])
async def test_stopping_ends_a_load_and_those_who_wait_for_it(turns: int) -> None:
    provider = Embedded("mine", EmbeddedSettings(path=model_file(), threads=1, context=SLOW_CONTEXT, parallel=1))
    answer = Answer()
    asking = asyncio.create_task(answer.of(provider, ask(MODEL)))
    for _ in range(1 + turns):
        await asyncio.sleep(0)
    await provider.stop()
    with pytest.raises(ProviderError, match="stopped while it loaded"):
        await asking
    assert (provider.state, answer.events) == ("up", [ModelLoading(MODEL)])
    await provider.close()


async def test_nobody_without_the_key_is_answered_and_no_page_may_ask(provider: Embedded) -> None:
    await provider.start()
    client = http.Client()
    for path in ("/v1/models", "/props", "/v1/chat/completions"):
        exchange = await client.open("GET", engine_of(provider).url + path, headers={"Origin": "https://evil.example"})
        exchange.close()
        assert (exchange.status, exchange.headers["access-control-allow-origin"]) == (401, "https://headrace.invalid")
    await client.close()
    assert engine_of(provider).url.startswith("http://127.0.0.1:")


PARENT = """
import asyncio, pathlib, sys, uvloop
from headrace.providers.embedded import Embedded, EmbeddedSettings

async def main():
    provider = Embedded("mine", EmbeddedSettings(path=pathlib.Path(sys.argv[1]), threads=1))
    await provider.start()
    print("pid", provider._supervisor.running.engine.pid, flush=True)
    await asyncio.get_running_loop().create_future()

(uvloop if sys.argv[2] == "uvloop" else asyncio).run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_the_child_ends_with_a_parent_that_is_killed(loop: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(model_file()), loop, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    while not (line := await parent.stdout.readline()).startswith(b"pid "):  # the rest is log
        assert line
    pid = int(line.split()[1])
    parent.kill()
    await parent.wait()
    await ended(pid)


def test_the_child_ends_with_its_input_even_while_it_loads() -> None:
    launch = Launch(
        path=str(model_file()), alias=MODEL, key="k", threads=1, context=SLOW_CONTEXT, parallel=1, memory_mib=0
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-P", "-m", "headrace.providers.embedded_child"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(encode(launch))
        child.stdin.flush()
        assert b"n_ctx" in child.stderr.readline()  # it loads
        child.stdin.close()
        assert child.stdout.read() == b""  # and never tells that it is done
        assert child.wait(5) == -signal.SIGIO
