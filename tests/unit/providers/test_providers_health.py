import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason
from headrace.core.messages import Request
from headrace.providers.health import Health, Stateful, Watch
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import Emit, Model, State

FAST: dict[State, float] = {"up": 0.01, "loading": 0.01, "down": 0.01}
NEVER: dict[State, float] = {"up": 60, "loading": 60, "down": 60}


class Told:
    """A provider that lists, or raises, what the test tells it."""

    kind = "told"
    slots = None

    def __init__(self, name: str, *answers: list[Model] | Exception) -> None:
        self.name = name
        self.answers = list(answers)
        self.asked = 0
        self.closed = False

    async def models(self) -> list[Model]:
        """Return the next answer; the last one is repeated."""
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def generate(self, _request: Request, _emit: Emit) -> FinishReason:
        return "stop"

    async def close(self) -> None:
        self.closed = True


class Loading(Told):
    """A provider that tells its state by itself."""

    state: State = "loading"
    reason = "The model is being loaded."


class Switched(Told):
    """A provider that is off."""

    state: State = "off"
    reason = "The settings say so."


class Seen:
    """Collects what a watch tells, and waits for it."""

    def __init__(self) -> None:
        self.changes: list[Health] = []
        self._changed = asyncio.Event()

    def __call__(self, health: Health) -> None:
        self.changes.append(health)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    @property
    def states(self) -> list[State]:
        return [health.state for health in self.changes]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(autouse=True)
def no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.providers.health._GAP_S", 0.0)


@pytest.fixture
async def watching() -> AsyncIterator[Callable[[Watch], None]]:
    watches: list[Watch] = []
    yield watches.append
    for watch in watches:
        await watch.close()


ONE, TWO = [Model(name="one")], [Model(name="two")]
DOWN = ProviderError("Nothing listens there.", code="upstream_refused")


async def test_before_the_first_look_nothing_is_known() -> None:
    (health,) = Watch([Told("box", ONE)]).health()
    assert (health.state, health.models) == ("loading", ())


async def test_a_provider_that_lists_its_models_is_up(watching: Callable[[Watch], None]) -> None:
    watch = Watch([Told("box", ONE), Told("other", TWO)], intervals_s=NEVER)
    watching(watch)
    await watch.start()
    await watch.looked()
    assert [(each.provider.name, each.state, each.reason, list(each.models)) for each in watch.health()] == [
        ("box", "up", None, ONE),
        ("other", "up", None, TWO),
    ]


async def test_a_provider_that_goes_keeps_its_models_and_one_that_comes_back_is_up(
    seen: Seen, watching: Callable[[Watch], None]
) -> None:
    watch = Watch([Told("box", ONE, DOWN, TWO)], changed=seen, intervals_s=FAST)
    watching(watch)
    await watch.start()
    await seen.until(lambda: len(seen.changes) == 3)
    assert [(each.state, each.reason, list(each.models)) for each in seen.changes] == [
        ("up", None, ONE),
        ("down", "Nothing listens there.", ONE),
        ("up", None, TWO),
    ]


async def test_a_provider_that_is_loading_is_not_down(seen: Seen, watching: Callable[[Watch], None]) -> None:
    loading = ProviderError("It loads.", code="overloaded", loading=True)
    watch = Watch([Told("box", loading, ONE)], changed=seen, intervals_s=FAST)
    watching(watch)
    await watch.start()
    await seen.until(lambda: seen.states == ["loading", "up"])


async def test_a_provider_that_knows_its_state_is_believed(watching: Callable[[Watch], None]) -> None:
    provider = Loading("box", ONE)
    assert isinstance(provider, Stateful)
    watch = Watch([provider], intervals_s=NEVER)
    watching(watch)
    await watch.start()
    await watch.looked()
    (health,) = watch.health()
    assert (health.state, health.reason, list(health.models)) == ("loading", "The model is being loaded.", ONE)


async def test_nothing_is_told_while_nothing_changes(seen: Seen, watching: Callable[[Watch], None]) -> None:
    provider = Told("box", ONE)
    watch = Watch([provider, Told("other", DOWN, DOWN, DOWN, ONE)], changed=seen, intervals_s=FAST)
    watching(watch)
    await watch.start()
    await seen.until(lambda: seen.states == ["up", "down", "up"])
    assert provider.asked >= 3


async def test_a_state_knows_since_when_it_lasts(seen: Seen, watching: Callable[[Watch], None]) -> None:
    class Ticking:
        now = 0

        def now_ms(self) -> int:
            self.now += 1
            return self.now

        def monotonic(self) -> float:
            return 0.0

    watch = Watch([Told("box", ONE, TWO, DOWN)], changed=seen, clock=Ticking(), intervals_s=FAST)
    watching(watch)
    await watch.start()
    await seen.until(lambda: len(seen.changes) == 3)
    assert [health.since_ms for health in seen.changes] == [2, 2, 3]


async def test_a_suspected_provider_is_looked_at_at_once(seen: Seen, watching: Callable[[Watch], None]) -> None:
    watch = Watch([Told("box", ONE, DOWN), Told("other", ONE)], changed=seen, intervals_s=NEVER)
    watching(watch)
    await watch.start()
    await watch.looked()
    watch.suspect("box")
    watch.suspect("no-such-provider")
    await seen.until(lambda: seen.states == ["up", "up", "down"])


async def test_a_bug_in_one_provider_is_logged_and_stops_nobody(seen: Seen, watching: Callable[[Watch], None]) -> None:
    watch = Watch([Told("box", KeyError("x"), ONE), Told("other", ONE)], changed=seen, intervals_s=FAST)
    watching(watch)
    with capture_logs() as logs:
        await watch.start()
        await seen.until(lambda: sorted(seen.states) == ["down", "up", "up"])
    assert [health.state for health in watch.health()] == ["up", "up"]
    assert [(log["event"], log["provider"]) for log in logs] == [("provider.bug", "box")]


async def test_a_stuck_provider_holds_nobody_up(seen: Seen, watching: Callable[[Watch], None]) -> None:
    class Stuck(Told):
        async def models(self) -> list[Model]:
            await asyncio.get_running_loop().create_future()
            return []

    watch = Watch([Stuck("box", ONE), Told("other", ONE)], changed=seen, intervals_s=NEVER)
    watching(watch)
    await watch.start()
    await seen.until(lambda: seen.states == ["up"])
    assert [health.state for health in watch.health()] == ["loading", "up"]


async def test_whoever_waits_for_a_stuck_provider_waits_a_bounded_time(
    watching: Callable[[Watch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.providers.health._FIRST_LOOK_S", 0.01)
    watch = Watch([Told("box", ONE)])
    await watch.looked()
    watching(watch)


async def test_without_providers_there_is_nothing_to_wait_for(watching: Callable[[Watch], None]) -> None:
    watch = Watch([])
    watching(watch)
    await watch.start()
    await watch.looked()
    assert watch.health() == ()


async def test_a_provider_that_is_off_is_never_asked(watching: Callable[[Watch], None]) -> None:
    provider = Switched("box", ONE)
    watch = Watch([provider, Told("other", ONE)], intervals_s=FAST)
    watching(watch)
    await watch.start()
    await watch.looked()
    health = watch.health()[0]
    assert (health.state, health.reason, health.models, provider.asked) == ("off", "The settings say so.", (), 0)
    watch.suspect("box")
    await watch.close()
    assert (provider.asked, provider.closed) == (0, True)


async def test_providers_come_while_it_runs(seen: Seen, watching: Callable[[Watch], None]) -> None:
    watch = Watch([Told("box", ONE)], changed=seen, intervals_s=NEVER)
    watching(watch)
    await watch.start()
    await watch.looked()
    watch.add(Told("found", TWO), found_by="discovery")
    assert [(each.state, each.found_by) for each in watch.health()] == [("up", "settings"), ("loading", "discovery")]
    await watch.looked()
    assert [(each.state, list(each.models)) for each in watch.health()] == [("up", ONE), ("up", TWO)]
    assert [(health.provider.name, health.found_by) for health in seen.changes] == (
        [("box", "settings"), ("found", "discovery")]
    )


async def test_a_provider_that_came_before_the_start_is_asked_too(watching: Callable[[Watch], None]) -> None:
    watch = Watch([], intervals_s=NEVER)
    watching(watch)
    watch.add(Told("found", ONE), found_by="discovery")
    await watch.start()
    await watch.looked()
    assert [each.state for each in watch.health()] == ["up"]


async def test_those_of_the_settings_come_first_and_those_found_by_name() -> None:
    watch = Watch([Told("z", ONE), Told("y", ONE)])
    watch.add(Switched("c", ONE), found_by="environment")
    watch.add(Told("x", ONE), found_by="discovery")
    watch.add(Switched("a", ONE), found_by="environment")
    watch.add(Told("b", ONE), found_by="discovery")
    watch.add(Told("w", ONE))
    assert [each.provider.name for each in watch.health()] == ["z", "y", "w", "b", "x", "a", "c"]


async def test_there_is_one_provider_of_each_name() -> None:
    watch = Watch([Told("box", ONE)])
    with pytest.raises(ValueError, match="there is a provider box already"):
        watch.add(Told("box", TWO), found_by="discovery")


async def test_a_provider_that_is_removed_is_closed_and_asked_no_more(
    seen: Seen, watching: Callable[[Watch], None]
) -> None:
    gone, stays = Told("gone", ONE), Told("stays", ONE, TWO, DOWN)
    watch = Watch([gone, stays], changed=seen, intervals_s=FAST)
    watching(watch)
    await watch.start()
    await watch.looked()
    await watch.remove("gone")
    await watch.remove("no-such-provider")
    asked = gone.asked
    await seen.until(lambda: "down" in seen.states)
    assert (gone.closed, gone.asked, stays.closed) == (True, asked, False)
    assert [each.provider.name for each in watch.health()] == ["stays"]
    watch.add(Told("gone", TWO), found_by="discovery")
    await watch.looked()
    assert [(each.provider.name, each.state) for each in watch.health()] == [("stays", "down"), ("gone", "up")]


async def test_a_provider_is_closed_although_whoever_removes_it_is_ended(watching: Callable[[Watch], None]) -> None:
    class Slow(Told):
        async def close(self) -> None:
            begun.set()
            await go_on.wait()
            self.closed = True

    begun, go_on = asyncio.Event(), asyncio.Event()
    provider = Slow("slow", [])
    watch = Watch([provider], intervals_s=NEVER)
    watching(watch)
    await watch.start()
    removal = asyncio.create_task(watch.remove("slow"))
    await begun.wait()
    removal.cancel()
    closing = asyncio.create_task(watch.close())
    go_on.set()
    await closing
    assert provider.closed


async def test_nobody_waits_for_a_provider_that_was_removed(watching: Callable[[Watch], None]) -> None:
    class Stuck(Told):
        async def models(self) -> list[Model]:
            await asyncio.get_running_loop().create_future()
            return []

    watch = Watch([Told("box", ONE)], intervals_s=NEVER)
    watching(watch)
    await watch.start()
    watch.add(Stuck("found", ONE), found_by="discovery")
    waiting = asyncio.create_task(watch.looked())
    await asyncio.sleep(0)
    await watch.remove("found")
    async with asyncio.timeout(1):
        await waiting


async def test_closing_stops_the_looks_and_closes_the_providers() -> None:
    provider = Told("box", ONE)
    watch = Watch([provider], intervals_s=FAST)
    await watch.start()
    await watch.looked()
    await watch.close()
    await watch.close()
    asked = provider.asked
    await asyncio.sleep(0)
    assert (provider.closed, provider.asked) == (True, asked)
    assert not [task for task in asyncio.all_tasks() if "provider health" in task.get_name()]


async def test_a_real_server_that_goes_and_comes_back_is_noticed(seen: Seen, watching: Callable[[Watch], None]) -> None:
    async with FakeUpstream() as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
        watch = Watch([provider], changed=seen, intervals_s=FAST)
        watching(watch)
        await watch.start()
        await seen.until(lambda: seen.states == ["up"])
        await upstream.stop()
        await seen.until(lambda: seen.states == ["up", "down"])
        await upstream.start()
        await seen.until(lambda: seen.states == ["up", "down", "up"])
        await watch.close()
