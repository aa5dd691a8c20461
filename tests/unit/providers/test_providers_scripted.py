import asyncio
import time
from pathlib import Path

import pytest

from fakes.models import Answer, ask
from headrace.core.errors import ProviderError
from headrace.core.events import Text, Usage
from headrace.providers.scripted import Scripted, ScriptedSettings


def provider(folder: Path | None = None, **scripts: str) -> Scripted:
    for name, text in scripts.items():
        assert folder is not None
        (folder / f"{name}.toml").write_text(text)
    return Scripted("demo", ScriptedSettings(scripts=folder, rate=5000))


async def test_the_scripts_and_those_built_in_are_its_models(tmp_path: Path) -> None:
    models = await provider(tmp_path, mine="step = []").models()
    assert [model.name for model in models] == ["demo", "echo", "mine"]
    assert all(model.can_continue and model.demonstration for model in models)


async def test_echo_says_what_the_user_said_last_word_by_word() -> None:
    answer = Answer()
    assert await answer.of(provider(), ask("echo", "Hello, {i} world!\n")) == "stop"
    assert [event for event in answer.events if isinstance(event, Text)] == [
        Text("Hello, "),
        Text("{i} "),
        Text("world!\n"),
    ]


async def test_demo_is_markdown_at_the_rate_of_the_settings() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    answer = Answer()
    await answer.of(Scripted("demo", ScriptedSettings(rate=1000)), ask("demo"))
    assert "**Headrace**" in answer.text
    assert loop.time() - start >= 0.07  # some 80 words


async def test_tokens_come_numbered_and_are_counted() -> None:
    answer = Answer()
    assert await answer.of(provider(), ask("tokens-r2000-n3")) == "stop"
    assert answer.events == [Text("0 "), Text("1 "), Text("2 "), Usage(output_tokens=3)]


async def test_no_tokens_are_an_answer_too() -> None:
    answer = Answer()
    assert await answer.of(provider(), ask("tokens-r0-n0")) == "stop"
    assert answer.events == [Usage(output_tokens=0)]


async def test_tokens_come_no_earlier_than_they_are_due() -> None:
    due = time.monotonic() + 0.0035
    while time.monotonic() < due:
        pass  # the loop's own time is that from before this
    times: list[float] = []
    start = time.monotonic()
    await provider().generate(
        ask("tokens-r200-n20"), lambda events: times.extend([time.monotonic() - start] * len(events))
    )
    assert all(at >= (number + 1) / 200 for number, at in enumerate(times[:20]))


async def test_tokens_as_fast_as_can_be_leave_room_for_others() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    answer = Answer()
    await answer.of(provider(), ask("tokens-r0-n6400"))
    counting.cancel()
    assert max(map(len, answer.calls)) <= 32
    assert turns >= 200


async def test_a_failure_comes_after_what_was_said(tmp_path: Path) -> None:
    text = "[[step]]\ntext = 'a'\n[[step]]\nfail = {code = 'overloaded', message = 'busy'}"
    answer = Answer()
    with pytest.raises(ProviderError, match="busy") as caught:
        await answer.of(provider(tmp_path, bad=text), ask("bad"))
    assert (caught.value.code, answer.text) == ("overloaded", "a")


async def test_a_script_without_an_end_is_a_server_that_hangs_up(tmp_path: Path) -> None:
    answer = Answer()
    with pytest.raises(ProviderError) as caught:
        await answer.of(provider(tmp_path, cut="[[step]]\ntext = 'a'"), ask("cut"))
    assert (caught.value.code, answer.text) == ("upstream_closed", "a")


async def test_a_script_that_hangs_is_silent_until_it_is_stopped(tmp_path: Path) -> None:
    text = "[[step]]\ntext = 'a'\n[[step]]\nhang = true\n[[step]]\nfinish = 'stop'"
    answer = Answer()
    making = asyncio.create_task(answer.of(provider(tmp_path, hang=text), ask("hang")))
    await answer.spoke.wait()
    done, _ = await asyncio.wait([making], timeout=0.02)
    assert not done
    making.cancel()
    await asyncio.wait([making])
    assert (making.cancelled(), answer.text) == (True, "a")


async def test_a_continued_answer_is_the_rest() -> None:
    whole, rest = Answer(), Answer()
    await whole.of(provider(), ask("demo"))
    await rest.of(provider(), ask("demo", after=whole.text[:50]))
    assert rest.text == whole.text[50:]


async def test_an_answer_that_is_not_the_scripts_is_started_again() -> None:
    whole, rest = Answer(), Answer()
    await whole.of(provider(), ask("demo"))
    await rest.of(provider(), ask("demo", after="Something else"))
    assert rest.text == whole.text


async def test_an_answer_without_a_word_is_continued_from_the_start() -> None:
    answer = Answer()
    await answer.of(provider(), ask("echo", "hello", after=""))
    assert answer.text == "hello"
