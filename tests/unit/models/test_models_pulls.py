import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fakes.hub import FakeHub
from headrace.core.clock import SystemClock
from headrace.core.errors import BadField, Conflict, NotFound, Overloaded
from headrace.models import pulls as module
from headrace.models.folder import ModelFolder
from headrace.models.hub import Hub
from headrace.models.pulls import Pull, PullFailure, Pulls
from headrace.net.client import Client
from headrace.net.port import Exchange

DATA = b"GGUF" + bytes(range(256)) * 1000


@pytest.fixture
async def fake() -> AsyncIterator[FakeHub]:
    async with FakeHub() as fake:
        for name in ("a", "b", "c", "d", "e"):
            fake.add(f"o/{name}", f"{name}.gguf", DATA + name.encode())
        yield fake


@pytest.fixture
async def pulls(fake: FakeHub, tmp_path: Path) -> AsyncIterator[Pulls]:
    client = Client()
    made = Pulls(client, Hub(client, fake.url), ModelFolder(tmp_path / "models"), SystemClock())
    yield made
    await made.close()
    await client.close()


async def until(pulls: Pulls, number: int, condition: Callable[[Pull], bool]) -> Pull:
    async with asyncio.timeout(10):
        while not condition(pulls.get(number)):  # noqa: ASYNC110  it is made to be watched like this
            await asyncio.sleep(0.002)
    return pulls.get(number)


async def ended(pulls: Pulls, number: int) -> Pull:
    return await until(pulls, number, lambda one: one.state != "running")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_download_goes_on_by_itself_and_can_be_watched(fake: FakeHub, pulls: Pulls, tmp_path: Path) -> None:
    fake.hold_after = 1000
    begun = await pulls.begin("o/a")
    assert (begun.id, begun.model, begun.file, begun.state) == (1, "o/a", "a.gguf", "running")
    half = await until(pulls, 1, lambda one: one.bytes == 1000)
    assert (half.state, half.total, half.ended_at) == ("running", len(DATA) + 1, None)
    fake.go_on.set()
    whole = await ended(pulls, 1)
    assert (whole.state, whole.bytes, whole.error) == ("complete", len(DATA) + 1, None)
    assert whole.ended_at is not None
    assert names(tmp_path / "models") == ["a.gguf"]
    assert pulls.list() == (whole,)


async def test_the_same_file_is_downloaded_once_at_a_time(fake: FakeHub, pulls: Pulls) -> None:
    fake.hold_after = 1000
    first = await pulls.begin("o/a")
    await until(pulls, 1, lambda one: one.bytes == 1000)
    assert (await pulls.begin("o/a/a.gguf")).id == first.id
    fake.add("other/a", "a.gguf", DATA)
    with pytest.raises(Conflict) as caught:
        await pulls.begin("other/a")
    assert (caught.value.code, caught.value.details) == ("pull_busy", {"pull_id": 1})


async def test_a_file_that_is_there_is_complete_at_once(pulls: Pulls) -> None:
    await pulls.begin("o/a")
    await ended(pulls, 1)
    again = await pulls.begin("o/a")
    assert again.id == 2
    assert (await ended(pulls, 2)).state == "complete"
    assert [one.id for one in pulls.list()] == [2, 1]


async def test_a_cancelled_download_stops_and_goes_on_when_it_is_asked_for_again(
    fake: FakeHub, pulls: Pulls, tmp_path: Path
) -> None:
    fake.hold_after = 1000
    await pulls.begin("o/a")
    await until(pulls, 1, lambda one: one.bytes == 1000)
    cancelled = await pulls.cancel(1)
    assert (cancelled.state, cancelled.bytes) == ("cancelled", 1000)
    assert (await pulls.cancel(1)) == cancelled
    assert names(tmp_path / "models") == ["a.gguf.part", "a.gguf.part.json"]
    fake.hold_after = None
    await pulls.begin("o/a")
    assert (await ended(pulls, 2)).state == "complete"
    assert fake.asked("store")[-1].headers["range"] == "bytes=1000-"


async def test_a_download_can_be_cancelled_before_its_first_step(pulls: Pulls) -> None:
    begun = await pulls.begin("o/a")
    assert (await pulls.cancel(begun.id)).state == "cancelled"


async def test_a_download_that_fails_says_why(fake: FakeHub, pulls: Pulls) -> None:
    fake.spoil = True
    await pulls.begin("o/a")
    failed = await ended(pulls, 1)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.code == "wrong_hash"


async def test_a_bug_ends_the_download_and_nothing_else(fake: FakeHub, tmp_path: Path) -> None:
    class Broken(Client):
        async def open(self, *_: object, **__: object) -> Exchange:
            raise ZeroDivisionError

    client = Client()
    pulls = Pulls(Broken(), Hub(client, fake.url), ModelFolder(tmp_path / "models"), SystemClock())
    await pulls.begin("o/a")
    failed = await ended(pulls, 1)
    assert failed.error == PullFailure("internal", "Headrace failed; its log says why.", retryable=False)
    assert "ZeroDivisionError" not in str(failed)
    await client.close()


async def test_what_cannot_be_found_is_an_error_and_no_download(pulls: Pulls) -> None:
    with pytest.raises(NotFound):
        await pulls.begin("o/nobody")
    for wrong in ("http://127.0.0.1/a.gguf", "o/a:Q9", "../../a.gguf"):
        with pytest.raises(BadField):
            await pulls.begin(wrong)
    with pytest.raises(NotFound):
        pulls.get(1)
    with pytest.raises(NotFound):
        await pulls.cancel(1)
    assert pulls.list() == ()


async def test_only_some_run_at_the_same_time(fake: FakeHub, pulls: Pulls) -> None:
    fake.hold_after = 10
    for name in ("a", "b", "c", "d"):
        await pulls.begin(f"o/{name}")
    with pytest.raises(Overloaded):
        await pulls.begin("o/e")
    await pulls.cancel(1)
    await pulls.begin("o/e")


async def test_those_that_ended_longest_ago_are_forgotten(pulls: Pulls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 2)
    for number in (1, 2, 3, 4):
        await pulls.begin("o/a")
        await ended(pulls, number)
    assert [one.id for one in pulls.list()] == [4, 3, 2]
