"""Any order of calls, against a model that is no more than a list for each run."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from fakes.journals import FAR_FUTURE_MS, Reader, entry, opened, text, until_committed
from headrace.journal import files
from headrace.journal.port import Fenced, Journal, Pruned, UnknownRun
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings

T = TypeVar("T")

EAGER = UpkeepSettings(every_s=3600.0, fold_after_s=0.0, fold_entries=3, wal_bytes=1)
"""Everything is due whenever the upkeep looks, and it looks when the test asks for it."""


class Model:
    """What a run's log should be. `durable`: so many entries must survive anything."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.entries: list[bytes] = []
        self.durable = 0
        self.created = False
        self.epoch: int | None = None
        self.epochs = 0
        self.sealed = False
        self.gone: Literal["removed", "pruned"] | None = None

    @property
    def live(self) -> bool:
        return self.epoch is not None and not self.sealed and self.gone is None

    @property
    def missing(self) -> type[UnknownRun | Pruned] | None:
        return {"removed": UnknownRun, "pruned": Pruned, None: None}[self.gone]


class JournalMachine(RuleBasedStateMachine):
    """The rules for a journal in memory; those with a disk have more."""

    kind: ClassVar[str] = "memory"

    runs: "Bundle[Model]" = Bundle("runs")
    readers: "Bundle[tuple[Model, Reader]]" = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(files, "CHUNK_ENTRIES", 4)
        self.folder = Path(tempfile.mkdtemp(prefix="journal-machine-"))
        self.runner = asyncio.Runner()
        self.models: list[Model] = []
        self.open(self.folder)

    def open(self, folder: Path) -> None:
        self.place = folder
        self.opening = opened(self.kind, folder, EAGER)
        self.journal: Journal = self.run(self.opening.__aenter__())
        self.alive: list[Reader] = []

    def close(self) -> None:
        self.run(self.opening.__aexit__(None, None, None))

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        async def in_time() -> T:
            async with asyncio.timeout(20):
                return await call

        return self.runner.run(in_time())

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    # Writers.

    @rule(target=runs)
    def create(self) -> Model:
        model = Model(f"run {len(self.models)}")
        self.models.append(model)
        self.take_over(model)
        return model

    @rule(model=runs)
    def take_over(self, model: Model) -> None:
        if model.gone == "removed":
            return  # run ids are never used again
        if model.sealed:
            with pytest.raises(Fenced):
                self.run(self.journal.claim(model.run_id))
            return
        epoch = self.run(self.journal.claim(model.run_id))
        assert epoch > model.epochs
        model.epoch = model.epochs = epoch

    @rule(model=runs, counts=st.lists(st.integers(0, 9), max_size=4))
    def append(self, model: Model, counts: list[int]) -> None:
        async def call() -> None:
            for count in counts:
                fresh = [str(len(model.entries) + number) for number in range(count)]
                self.journal.append(model.run_id, model.epoch or 1, [text(delta)[0] for delta in fresh], 0)
                model.entries.extend(map(entry, fresh))

        if model.live or not counts:
            self.run(call())
            return
        with pytest.raises((Fenced, UnknownRun)):
            self.run(call())

    @rule(model=runs, back=st.integers(-1, 3))
    def append_under_another_epoch(self, model: Model, back: int) -> None:
        async def call() -> None:
            self.journal.append(model.run_id, model.epochs - back, text("lost"), 0)

        if model.epochs - back != model.epoch:
            with pytest.raises((Fenced, UnknownRun)):
                self.run(call())

    @rule(model=runs)
    def seal(self, model: Model) -> None:
        if model.epoch is None or model.gone == "removed":
            with pytest.raises((Fenced, UnknownRun)):
                self.run(self.journal.seal(model.run_id, model.epochs + 1))
            return
        self.run(self.journal.seal(model.run_id, model.epoch))
        model.sealed = model.created = True
        model.durable = len(model.entries)

    @rule(chosen=st.lists(runs, max_size=3))
    def remove(self, chosen: list[Model]) -> None:
        self.run(self.journal.remove([model.run_id for model in chosen]))
        for model in chosen:
            model.gone = "removed"

    @rule()
    def prune(self) -> None:
        old = [model for model in self.models if model.sealed and model.gone is None]
        assert self.run(self.journal.prune(FAR_FUTURE_MS)) == len(old)
        for model in old:
            model.gone = "pruned"

    # Readers.

    @rule(target=readers, model=runs, start=st.integers(0, 40))
    def follow(self, model: Model, start: int) -> tuple[Model, Reader]:
        reader = Reader()
        if model.missing is not None:
            with pytest.raises(model.missing):
                self.run(self.journal.follow(model.run_id, start, reader.wake))
        else:
            reader.cursor = self.run(self.journal.follow(model.run_id, start, reader.wake))
            self.alive.append(reader)
        return model, reader

    @rule(pair=readers, limit=st.integers(1, 10))
    def take(self, pair: tuple[Model, Reader], limit: int) -> None:
        model, reader = pair
        if reader not in self.alive:
            return
        start = reader.cursor.position
        try:
            taken = self.run(reader.take(limit))
        except Pruned:
            assert model.gone is not None
            return
        assert list(taken) == model.entries[start : start + len(taken)]
        assert len(taken) <= limit
        assert reader.cursor.position == start + len(taken)
        if model.gone is None:
            assert taken or start >= model.durable
            model.durable = max(model.durable, reader.cursor.position if taken else 0)

    @rule(pair=consumes(readers))
    def leave(self, pair: tuple[Model, Reader]) -> None:
        if pair[1] in self.alive:
            pair[1].cursor.close()
            self.alive.remove(pair[1])

    @rule(model=runs, start=st.integers(0, 40), limit=st.none() | st.integers(0, 20))
    def read(self, model: Model, start: int, limit: int | None) -> None:
        if model.missing is not None:
            with pytest.raises(model.missing):
                self.run(self.journal.read(model.run_id, start, limit))
            return
        found = list(self.run(self.journal.read(model.run_id, start, limit)))
        assert found == model.entries[start : start + len(found)]
        most = len(model.entries) if limit is None else limit
        assert min(model.durable - start, most) <= len(found) <= most
        model.durable = max(model.durable, start + len(found) if found else 0)

    @rule(pair=readers)
    def wait_for_all_that_was_appended(self, pair: tuple[Model, Reader]) -> None:
        model, reader = pair
        if not model.live or reader not in self.alive:
            return
        position, wakes, before = reader.cursor.position, reader.wakes, self.journal.committed(model.run_id)
        self.run(until_committed(self.journal, model.run_id, len(model.entries)))
        model.durable, model.created = len(model.entries), True
        if before < len(model.entries):
            assert reader.wakes > wakes
        if position < len(model.entries):
            assert self.run(reader.take(1)) == model.entries[position : position + 1]

    # At any time.

    @invariant()
    def committed_is_a_prefix_that_never_shrinks(self) -> None:
        for model in self.models:
            if model.live:
                committed = self.journal.committed(model.run_id)
                assert model.durable <= committed <= len(model.entries)
                model.durable = committed

    @invariant()
    def unsealed_names_the_runs_that_go_on(self) -> None:
        unsealed = {run.run_id: run.committed for run in self.run(self.journal.unsealed())}
        assert set(unsealed) == {model.run_id for model in self.models if not model.sealed and model.gone is None}
        for model in self.models:
            assert model.durable <= unsealed.get(model.run_id, model.durable)

    @invariant()
    def readers_know_whether_their_run_has_ended(self) -> None:
        for model in self.models:
            if model.gone is None and not model.sealed:
                reader = Reader()
                cursor = self.run(self.journal.follow(model.run_id, 0, reader.wake))
                assert not cursor.ended()
                cursor.close()


class DiskMachine(JournalMachine):
    """A journal that is kept in order, closed, opened again, and whose process dies."""

    kind = "sqlite"

    @rule()
    def look_after_it(self) -> None:
        assert isinstance(self.journal, SqliteJournal)
        self.run(self.journal._upkeep.once())

    @rule()
    def reopen(self) -> None:
        self.close()
        for model in self.models:
            model.durable, model.created = len(model.entries), True
        self.open(self.place)
        self._nobody_holds_a_run()

    @precondition(lambda self: len(self.models) > 0)
    @rule()
    def die(self) -> None:
        """Go on with a copy of the files as they are on the disk now."""
        copy = self.folder / f"copy of {self.place.name}"
        copy.mkdir()
        for name in ("journal.db", "journal.db-wal"):  # in this order: what one lacks is in the other
            shutil.copy(self.place / name, copy / name)
        self.close()
        self.open(copy)
        for model in self.models:
            self._compare(model)
        self._nobody_holds_a_run()
        if self.kind == "sqlite-full":
            for model in self.models:
                model.epochs = 0  # the newest may not have come to the disk

    def _compare(self, model: Model) -> None:
        if model.gone is not None:
            return
        try:
            kept = list(self.run(self.journal.read(model.run_id)))
        except UnknownRun:
            assert not model.created
            assert model.durable == 0
            model.gone = "removed"
            return
        assert model.durable <= len(kept)
        assert kept == model.entries[: len(kept)]
        model.entries = kept

    def _nobody_holds_a_run(self) -> None:
        for model in self.models:
            model.epoch = model.epoch if model.sealed else None
            if not model.created:
                model.epochs = 0


class FullMachine(DiskMachine):
    """The same, with commits in a thread."""

    kind = "sqlite-full"


TestMemoryMachine = JournalMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

TestSqliteMachine = DiskMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)

TestFullMachine = FullMachine.TestCase
TestFullMachine.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)
