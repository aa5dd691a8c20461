import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from fakes.gguf import gguf
from fakes.held import Held, engine_in
from fakes.models import Answer, ask
from headrace.core.errors import ProviderError
from headrace.core.events import ModelLoading
from headrace.providers import builtin
from headrace.providers.health import Stateful
from headrace.providers.local import Local
from headrace.providers.local_files import ModelFile

# loading takes a second: the event loops' own ways with processes are tested with `kind = "embedded"`
one_loop = pytest.mark.asyncio(loop_factories=["uvloop"])

NAMES = ("a", "b", "c")


def model_file(path: Path, *, name: str = "", version: int = 0, context_length: int | None = 512) -> ModelFile:
    stamp = ((str(path), 1, version),)
    return ModelFile(name=name or path.stem, path=path, context_length=context_length, stamp=stamp)


@pytest.fixture
def files(tmp_path: Path) -> list[ModelFile]:
    """Three files of the same model."""
    return [model_file(Path(shutil.copy(builtin.model_file(), tmp_path / f"{name}.gguf"))) for name in NAMES]


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    local = Local(tmp_path, max_loaded=2)
    yield local
    await local.close()


def loaded(local: Local) -> list[str]:
    """Return the models whose engine runs."""
    return [name for name in local._children if engine_in(local, name)._supervisor.running is not None]


async def answered(local: Local, *names: str) -> None:
    for name in names:
        assert await Answer().of(local, ask(name, max_tokens=3)) == "length"


async def failure(local: Local, name: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await Answer().of(local, ask(name, max_tokens=3))
    return caught.value


# which models there are


async def test_models_are_listed_by_name_without_being_loaded(local: Local, tmp_path: Path) -> None:
    small = model_file(tmp_path / "b.gguf", context_length=512)
    large = model_file(tmp_path / "a.gguf", context_length=131_072)
    unknown = model_file(tmp_path / "c-00001-of-00002.gguf", name="owner/repo/c", context_length=None)
    for file in (small, large, unknown):
        file.path.touch()
    assert local.update([small, unknown, large])
    assert [(model.name, model.context_length, model.can_continue) for model in await local.models()] == [
        ("a", 8192, True),
        ("b", 512, True),
        ("owner/repo/c", None, True),
    ]
    assert (local.state, local.reason, loaded(local)) == ("up", None, [])


async def test_it_tells_its_state_by_itself(local: Local) -> None:
    assert isinstance(local, Stateful)
    assert (local.name, local.kind, local.slots, local.idle) == ("local", "embedded", 2, True)


async def test_only_a_change_is_one(local: Local, tmp_path: Path) -> None:
    first, second = model_file(tmp_path / "a.gguf"), model_file(tmp_path / "b.gguf")
    assert [local.update(files) for files in ([], [first], [first], [first, second], [second], [])] == (
        [False, True, False, True, True, True]
    )


async def test_a_file_that_went_is_not_listed(local: Local, tmp_path: Path) -> None:
    local.update([model_file(tmp_path / "a.gguf")])
    assert await local.models() == []
    error = await failure(local, "a")
    assert (error.code, str(tmp_path / "a.gguf") in error.message) == ("unknown_model", True)


async def test_an_unknown_model_is_named_as_such(local: Local) -> None:
    error = await failure(local, "none")
    assert (error.code, "'none'" in error.message) == ("unknown_model", True)


async def test_a_model_that_cannot_be_loaded_is_told_and_spares_the_others(local: Local, tmp_path: Path) -> None:
    broken, fine = tmp_path / "broken.gguf", tmp_path / "fine.gguf"
    broken.write_bytes(gguf())
    fine.touch()
    local.update([model_file(broken), model_file(fine)])
    assert (await failure(local, "broken")).code == "engine_died"
    assert [model.name for model in await local.models()] == ["fine"]
    assert (local.state, str(local.reason).startswith("broken: The model file")) == ("up", True)
    local.update([model_file(broken)])
    assert (local.state, await local.models()) == ("down", [])


# answers


@pytest.mark.engine
@one_loop
async def test_a_model_is_loaded_by_its_first_answer(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    first, second = Answer(), Answer()
    assert await first.of(local, ask("b", max_tokens=3)) == "length"
    assert await second.of(local, ask("b", max_tokens=3)) == "length"
    assert [
        bool([event for event in answer.events if isinstance(event, ModelLoading)]) for answer in (first, second)
    ] == [
        True,
        False,
    ]
    assert loaded(local) == ["b"]


@pytest.mark.engine
@one_loop
async def test_the_model_that_was_not_used_for_the_longest_makes_room(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    await answered(local, "a", "b", "a", "c")
    assert loaded(local) == ["a", "c"]
    await answered(local, "b")
    assert loaded(local) == ["b", "c"]


@pytest.mark.engine
@one_loop
async def test_a_model_that_answers_is_never_ended_for_another(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    await answered(local, "a")
    async with Held(local, "a"):
        await answered(local, "b", "c")
        assert loaded(local) == ["a", "c"]


@pytest.mark.engine
@one_loop
async def test_more_models_than_may_be_loaded_are_refused_while_all_are_in_use(
    local: Local, files: list[ModelFile]
) -> None:
    local.update(files)
    await answered(local, "a", "b")
    async with Held(local, "b"):
        async with Held(local, "a"):
            error = await failure(local, "c")
        assert (error.code, error.retryable, "max_loaded" in error.message) == ("overloaded", True, True)
        await answered(local, "c")
        assert loaded(local) == ["b", "c"]


@pytest.mark.engine
@one_loop
async def test_a_model_whose_file_is_gone_finishes_what_it_began(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    await answered(local, "a")
    engine = engine_in(local, "a")
    async with Held(local, "a") as held:
        assert local.update(files[1:])
        assert (local.idle, [model.name for model in await local.models()]) == (False, ["b", "c"])
        assert (await failure(local, "a")).code == "unknown_model"
        held.go_on()
        assert await held.making == "length"
    await asyncio.gather(*local._ending)
    assert (local.idle, engine._supervisor.running) == (True, None)


@pytest.mark.engine
@one_loop
async def test_a_file_that_was_replaced_is_loaded_anew(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    await answered(local, "a")
    before = engine_in(local, "a")
    newer = msgspec.structs.replace(files[0], stamp=((str(files[0].path), 1, 2),))
    assert local.update([newer, *files[1:]])
    await asyncio.gather(*local._ending)
    assert (before._supervisor.running, loaded(local)) == (None, [])
    await answered(local, "a")
    assert loaded(local) == ["a"]


@pytest.mark.engine
@one_loop
async def test_a_cancelled_answer_still_ends_the_model_that_made_room(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    await answered(local, "a", "b")
    asking = asyncio.create_task(Answer().of(local, ask("c", max_tokens=3)))
    await asyncio.sleep(0)  # it has asked for room
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.gather(*local._ending)
    assert (asking.cancelled(), loaded(local)) == (True, ["b"])


@pytest.mark.engine
@one_loop
async def test_closing_it_ends_every_engine_and_cuts_the_answers(local: Local, files: list[ModelFile]) -> None:
    local.update(files)
    await answered(local, "a", "b")
    async with Held(local, "a") as held:
        held.go_on()
        await local.close()
        with pytest.raises(ProviderError) as caught:
            await held.making
    assert (caught.value.code, loaded(local)) == ("engine_died", [])
    await local.close()
