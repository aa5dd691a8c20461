"""This module builds the program from its settings, top to bottom in the order in which a token flows."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from headrace.access.access import Access
from headrace.access.keys import Keys
from headrace.access.limits import Limits
from headrace.app.finding import bring_builtin, wanted
from headrace.app.observing import RunLog, Suspicion
from headrace.app.pull import hub_of, models_of
from headrace.app.quotas import Quotas
from headrace.app.reach import names_of
from headrace.app.settings import Server, Settings
from headrace.chat.conversations import Conversations
from headrace.chat.notices import Board, Notice, RunNotices
from headrace.chat.turns import Turns, settle, spec_of
from headrace.core.clock import Clock, SystemClock
from headrace.core.errors import SettingsError
from headrace.doors.follow import Pulse
from headrace.doors.gate import Gate
from headrace.doors.house import House
from headrace.doors.limits import BodyLimit
from headrace.doors.metrics import Meter
from headrace.doors.ollama.port import OllamaPort
from headrace.doors.routes import entrance
from headrace.formats import native
from headrace.journal.port import Journal
from headrace.journal.segments import Torn
from headrace.journal.sqlite import SqliteJournal
from headrace.models.admission import Admission
from headrace.models.catalogue import Catalogue
from headrace.models.pulls import Pulls
from headrace.net.client import Client
from headrace.providers import registry
from headrace.providers.discovery import Discovery
from headrace.providers.health import Watch
from headrace.runs import engine
from headrace.runs.engine import Engine
from headrace.runs.run import World
from headrace.runs.vectors import Embedder
from headrace.store.store import Store

__all__ = ["Program", "build"]

logger = structlog.get_logger("headrace.app")

PRUNE_EVERY_S = 3600.0
DAY_MS = 86_400_000


class Program:
    """What runs: the application for the server, and when it ends the engine to drain and the board to close.

    `link` is the secret of the link with which the first admin signs in; None where nobody needs one.
    """

    def __init__(self, app: ASGIApp, engine: Engine, board: Board, link: str | None) -> None:
        self.app = app
        self.engine = engine
        self.board = board
        self.link = link


@contextlib.asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Program]:
    """Open everything, put in order what a crash left, and close everything at the end, in reverse.

    Raises `SettingsError` where the settings or what is in the data folder do not allow it.
    """
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        store, journal = await _kept(settings, clock, stack)
        access, limits, quotas = await _who_may(settings, store, clock, stack)
        board = Board()
        watch = _watch(settings, board, clock)
        catalogue = Catalogue(watch, default=settings.models.default, aliases=settings.models.aliases)
        client = Client()
        stack.push_async_callback(client.close)
        pulls = Pulls(client, hub_of(settings, client), models_of(settings), clock)
        stack.push_async_callback(pulls.close)
        meter = Meter()
        world = World(
            journal, catalogue, Admission(), clock, (RunLog(), meter, Suspicion(watch), quotas, RunNotices(board))
        )
        runner = Engine(world, settle(store), _limits(settings), quotas.take)
        await _recover(runner, store)
        await watch.start()
        stack.push_async_callback(watch.close)
        _make_models_folder(settings)
        discovery = Discovery(watch, wanted(settings), clock=clock)
        stack.push_async_callback(discovery.close)
        await discovery.start()
        runner.open()
        stack.push_async_callback(runner.close)
        if settings.journal.keep_days is not None:
            pruning = asyncio.create_task(_prune(journal, clock, settings.journal.keep_days), name="pruning")
            stack.callback(pruning.cancel)

        house = House(
            store=store,
            access=access,
            limits=limits,
            journal=journal,
            engine=runner,
            catalogue=catalogue,
            pulls=pulls,
            embedder=Embedder(
                runner, world.admission, timeout_s=settings.runs.first_token_timeout_s, spent=quotas.spent
            ),
            turns=Turns(store, runner, catalogue, clock),
            conversations=Conversations(store, runner, journal, board, clock),
            board=board,
            pulse=Pulse(),
            meter=meter,
            encoder=native.Encoder(),
            clock=clock,
            streaming=settings.streaming,
            detached=frozenset(name for name, door in settings.doors.items() if door.on_disconnect == "detach"),
        )
        _show(meter, house, world)
        app = _served(settings.server, house)
        yield Program(app, runner, board, await access.first_link() if access.on else None)


async def _who_may(
    settings: Settings, store: Store, clock: Clock, stack: contextlib.AsyncExitStack
) -> tuple[Access, Limits, Quotas]:
    """Open what says who may do what, and how much, to be closed by the stack."""
    access = Access(store, Keys(await store.secrets.master()), clock, on=settings.server.access)
    await access.open()
    stack.push_async_callback(access.close)
    limits = Limits(settings.limits, clock)
    quotas = Quotas(limits, store, clock, counted=_counts_tokens(settings))
    await quotas.open()
    stack.push_async_callback(quotas.close)
    return access, limits, quotas


def _watch(settings: Settings, board: Board, clock: Clock) -> Watch:
    """Return what watches the providers of the settings, and the one that comes along."""
    watch = Watch(
        [registry.make(name, described) for name, described in settings.providers.items()],
        changed=lambda health: board.post_to_all(Notice(type="model.changed", provider=health.provider.name)),
        clock=clock,
    )
    bring_builtin(watch, settings)
    return watch


def _served(server: Server, house: House) -> ASGIApp:
    """Return the doors, and what stands before them."""
    bounded = BodyLimit(entrance(house), server.max_body_bytes)
    app: ASGIApp = Gate(bounded, house.access, house.limits, names_of(server))
    return app if server.ollama_port is None else OllamaPort(app, server.ollama_port)


def _limits(settings: Settings) -> engine.Limits:
    runs = settings.runs
    return engine.Limits(
        max=runs.max, first_token_timeout_s=runs.first_token_timeout_s, idle_timeout_s=runs.idle_timeout_s
    )


def _counts_tokens(settings: Settings) -> bool:
    return settings.limits.tokens_per_day is not None or settings.limits.tokens_per_day_all is not None


async def _kept(settings: Settings, clock: Clock, stack: contextlib.AsyncExitStack) -> tuple[Store, SqliteJournal]:
    """Open what is in the data folder, to be closed by the stack."""
    data_dir, sync = settings.server.data_dir, settings.journal.sync
    store = Store(data_dir / "headrace.db", sync=sync)
    await store.open()
    stack.push_async_callback(store.close)
    journal = SqliteJournal(data_dir / "journal.db", sync=sync, clock=clock)
    await _open(journal, data_dir / "journal.db")
    stack.push_async_callback(journal.close)
    return store, journal


async def _open(journal: SqliteJournal, path: Path) -> None:
    try:
        await journal.open()
    except (sqlite3.Error, Torn) as error:
        raise SettingsError(f"The journal {path} cannot be used: {error}. See `data_dir` in [server].") from error


def _make_models_folder(settings: Settings) -> None:
    with contextlib.suppress(FileExistsError):  # a link that leads nowhere, say: then there are no models in it
        models_of(settings).path.mkdir(mode=0o700, exist_ok=True)


async def _recover(engine: Engine, store: Store) -> None:
    count = await engine.recover(map(spec_of, await store.runs.unfinished()))
    if count:
        logger.warning("runs.interrupted", count=count, reason="crash")


def _show(meter: Meter, house: House, world: World) -> None:
    meter.gauge("headrace_runs_active", "Runs that go on.", lambda: len(tuple(house.engine.active())))
    meter.gauge("headrace_runs_waiting", "Runs that wait for a provider's slot.", world.admission.waiting)
    meter.gauge("headrace_readers", "Readers of runs.", lambda: len(house.pulse))
    meter.gauge("headrace_journal_ok", "1 while the journal takes commits.", lambda: house.journal.trouble is None)


async def _prune(journal: Journal, clock: Clock, keep_days: int) -> None:
    while True:
        try:
            count = await journal.prune(clock.now_ms() - keep_days * DAY_MS)
            if count:
                logger.info("journal.pruned", runs=count)
        except Exception:
            logger.exception("journal.unpruned")
        await asyncio.sleep(PRUNE_EVERY_S)
