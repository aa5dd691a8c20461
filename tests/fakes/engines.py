"""An engine with everything that it needs, in memory: a clock to move, an upstream to script, notes of what came."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from headrace.core import events
from headrace.core.events import Event, FinishReason
from headrace.core.messages import Message, Request, TextPart
from headrace.formats import native
from headrace.journal.memory import MemoryJournal
from headrace.models.admission import Admission
from headrace.models.catalogue import Catalogue, Health
from headrace.providers.port import Emit, FoundBy, Model, State
from headrace.runs.engine import Engine, Limits, Room
from headrace.runs.port import Outcome, Prepare, Spec
from headrace.runs.run import Run, World

REQUEST = Request(model="", messages=(Message("user", (TextPart("Hi"),)),))

HELLO: list[Event] = [events.Text("Hello"), events.Text(" you")]
"""What is answered unless a test says otherwise."""

Answer = Callable[[Request, Emit], Awaitable[FinishReason]]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds


async def say_hello(_request: Request, emit: Emit) -> FinishReason:
    for each in HELLO:
        emit([each])
    return "stop"


class Upstream:
    """A provider that answers as it is told to. `open` counts answers in the making."""

    kind = "plain"

    def __init__(self, name: str = "box", slots: int | None = None) -> None:
        self.name = name
        self.slots = slots
        self.answer: Answer = say_hello
        self.asked: list[Request] = []
        self.open = 0

    async def models(self) -> list[Model]:
        return [Model(name="m")]

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        self.asked.append(request)
        self.open += 1
        try:
            return await self.answer(request, emit)
        finally:
            self.open -= 1

    async def close(self) -> None:
        pass


class Known(msgspec.Struct):
    """A provider that is up."""

    provider: Upstream
    models: tuple[Model, ...] = (Model(name="m"),)
    state: State = "up"
    reason: str | None = None
    since_ms: int = 0
    found_by: FoundBy = "settings"


class Watched:
    """Knows these providers; `looked` returns once `found` is set."""

    def __init__(self, *known: Known) -> None:
        self.known = known
        self.found = asyncio.Event()
        self.found.set()

    def health(self) -> Sequence[Health]:
        return self.known if self.found.is_set() else ()

    async def looked(self) -> None:
        await self.found.wait()


class Notes:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []

    def started(self, spec: Spec) -> None:
        self.notes.append(("started", spec.run_id))

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        self.notes.append(("first token", spec.run_id, model, round(seconds, 3)))

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        self.notes.append(("ended", spec.run_id, outcome.status, round(seconds, 3)))


class Works:
    """The engine and what stands around it."""

    def __init__(self, journal: MemoryJournal | None = None, slots: int | None = None, **limits: Any) -> None:
        self.journal = journal or MemoryJournal()
        self.clock = Clock()
        self.upstream = Upstream(slots=slots)
        self.watched = Watched(Known(self.upstream))
        self.admission = Admission()
        self.notes = Notes()
        self.settled: dict[str, Outcome] = {}
        self.settling: Callable[[str], Awaitable[None]] | None = None
        world = World(self.journal, Catalogue(self.watched), self.admission, self.clock, (self.notes,))
        self.engine = Engine(world, self._settle, Limits(**limits))

    async def _settle(self, run_id: str, outcome: Outcome) -> None:
        if self.settling is not None:
            await self.settling(run_id)
        self.settled[run_id] = outcome

    async def start(self, run_id: str = "r", *, prepare: Prepare | None = None, owner: int = 1, **spec: Any) -> Run:
        described = Spec(run_id=run_id, owner=owner, model=spec.pop("model", None), **spec)
        return await self.engine.start(described, prepare or ready, Room(lambda: None))

    async def answered(self, answer: Answer) -> list[Event]:
        """Let one run be answered like this, to its end; return its events."""
        self.upstream.answer = answer
        await self.start()
        return await self.end()

    async def end(self, run_id: str = "r") -> list[Event]:
        """Wait until the run's outcome is stored; return its events."""
        async with asyncio.timeout(10):
            await self.engine.settled(run_id)
        return await self.events(run_id)

    async def events(self, run_id: str = "r") -> list[Event]:
        return [native.decode(entry) for entry in await self.journal.read(run_id)]

    async def times(self, run_id: str = "r") -> list[int]:
        return [native.time_of(entry) for entry in await self.journal.read(run_id)]


async def ready(_emit: Emit) -> Request:
    return REQUEST


async def turns(count: int = 10) -> None:
    """Let everything that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


def wait_for(event: asyncio.Event, *first: Event) -> Answer:
    """An answer that emits this, then waits, then ends."""

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        for each in first:
            emit([each])
        await event.wait()
        return "stop"

    return answer


def terminals(happened: list[Event]) -> list[Event]:
    return [event for event in happened if isinstance(event, events.TERMINAL)]


def made(happened: list[Event]) -> list[Event]:
    """Return what is between `run.started` and the final usage; see that there is one end, and that it is the last."""
    assert isinstance(happened[0], events.RunStarted)
    assert isinstance(happened[-2], events.Usage)
    assert terminals(happened) == [happened[-1]]
    return happened[1:-2]
