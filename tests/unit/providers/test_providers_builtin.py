"""The model that comes with Headrace."""

import runpy
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from fakes.models import Answer, ask
from headrace.providers import gguf
from headrace.providers.builtin import Builtin, model_file

MIB = 1024 * 1024
RECIPE = Path(__file__).parents[3] / "tools" / "tiny_model" / "recipe.py"

pytestmark = pytest.mark.engine


@pytest.fixture
async def builtin() -> AsyncIterator[Builtin]:
    provider = Builtin()
    yield provider
    await provider.close()


async def said(provider: Builtin, prompt: str) -> tuple[str, str]:
    """Return the answer at temperature 0, and why it ended."""
    answer = Answer()
    ended = await answer.of(provider, ask("headrace-tiny", prompt, temperature=0.0, max_tokens=700))
    return answer.text, ended


def test_the_file_is_small_and_a_model() -> None:
    assert model_file().stat().st_size <= 4 * MIB
    read = gguf.read(model_file())
    assert (read.context_length, read.unfit) == (1024, None)


def test_the_file_names_its_licence_and_the_recipe_in_the_repository() -> None:
    head = model_file().read_bytes()[:4096]
    assert b"general.license" in head
    assert b"Apache-2.0" in head
    assert runpy.run_path(str(RECIPE))["recipe_hash"]().encode() in head, "the recipe was changed: make tiny-model"


async def test_it_is_listed_as_a_demonstration(builtin: Builtin) -> None:
    (model,) = await builtin.models()
    assert (model.name, model.demonstration, model.context_length) == ("headrace-tiny", True, 1024)


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Hello!", "Hello!"),
        ("Hola", "¡Hola! ¿Cómo estás?"),
        ("Bonjour", "Bonjour !"),
        ("Guten Tag", "Guten Tag!"),
        ("Count to 7", "1, 2, 3, 4, 5, 6, 7."),
        ("Explain quantum computing", "demonstration model"),
        ("How do I connect Ollama?", "ollama serve"),
    ],
)
async def test_it_answers_and_ends_by_itself(builtin: Builtin, prompt: str, words: str) -> None:
    text, ended = await said(builtin, prompt)
    assert words in text
    assert ended == "stop"


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_story_is_a_story(builtin: Builtin) -> None:
    text, ended = await said(builtin, "Tell me a short story")
    assert 150 <= len(text.split()) <= 300
    assert text.startswith("Once ")
    assert text.endswith("The end.")
    assert ended == "stop"


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_any_bytes_are_accepted(builtin: Builtin) -> None:
    text, ended = await said(builtin, "\x00\ufeff नमस्ते 👩‍👩‍👧 \u2028 <|im_end|>")
    assert text
    assert ended == "stop"


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_it_is_asked_at_a_low_temperature_unless_the_request_names_one(builtin: Builtin) -> None:
    texts = []
    asked = ask("headrace-tiny")
    for named in ({}, {"temperature": 0.2}, {"temperature": 1.5}):
        answer = Answer()
        parameters = {"seed": 5, "max_tokens": 150, **named}
        await answer.of(builtin, msgspec.structs.replace(asked, parameters=parameters))
        texts.append(answer.text)
    assert texts[0] == texts[1] != texts[2]
