"""This module is the port that every journal store fills.

A run's log is a row of events with sequence numbers 0, 1, 2, ...; readers hold (run, sequence number) and read the
shared log. An entry is one event as `formats.native` encodes it: bytes that are stored, read and sent unchanged.

Two promises carry everything else. *Durable before visible*: `committed`, `read` and cursors never show an entry
that the death of this process could lose. *Fenced*: only the holder of the newest epoch of a run can append to it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from headrace.core.errors import HeadraceError
from headrace.core.events import Event

__all__ = ["Cursor", "Fenced", "Journal", "Pruned", "Stored", "UnknownRun"]


class Fenced(HeadraceError):
    """The epoch is not the newest, or the run is sealed: the writer has lost its right to write."""

    default_code = "fenced"


class UnknownRun(HeadraceError):
    """The journal has no such run."""

    default_code = "unknown_run"


class Pruned(HeadraceError):
    """The run's events were removed (`journal.keep_days`); its message is kept elsewhere."""

    default_code = "events_gone"


class Stored(msgspec.Struct, frozen=True):
    """What the journal knows of a run: how many entries are committed, and whether it is sealed."""

    run_id: str
    committed: int
    sealed: bool


class Cursor(Protocol):
    """A reader's place in one run's log. It holds no copy of anything; closing it is free."""

    @property
    def position(self) -> int:
        """The sequence number of the next entry that `take` returns."""
        ...

    def take(self, limit: int) -> Sequence[bytes] | None:
        """Return up to `limit` committed entries from `position` on and move past them.

        An empty sequence means: nothing new, `wake` will be called. None means: what comes next is not in memory,
        call `load` and try again.
        """
        ...

    async def load(self) -> None:
        """Bring the entries at `position` into memory. Raises `Pruned`."""
        ...

    def ended(self) -> bool:
        """Whether the run is sealed and every entry has been taken."""
        ...

    def close(self) -> None:
        """Stop the calls of `wake`. Harmless when repeated."""
        ...


class Journal(Protocol):
    """The durable log. Everything is called on the event loop's thread."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be committed now, for people; None where all is well."""
        ...

    async def claim(self, run_id: str) -> int:
        """Create the run's log, or take it over; return the new epoch (1, 2, ...), which fences all earlier ones.

        Raises `Fenced` where the run is sealed.
        """
        ...

    def append(self, run_id: str, epoch: int, happened: Sequence[Event], t: int) -> None:
        """Add events that happened `t` milliseconds after `run.started`.

        Returns at once: they are on their way to the disk with whatever else happens at the same time, become
        visible when they are there, and readers are woken then. Raises `Fenced`, `UnknownRun`; a `ServerError` where
        the disk has refused for so long that no more can wait.
        """
        ...

    def committed(self, run_id: str) -> int:
        """Return how many entries of a live (claimed, unsealed or just sealed) run are durable. Raises `UnknownRun`."""
        ...

    async def read(self, run_id: str, start: int = 0, limit: int | None = None) -> Sequence[bytes]:
        """Return committed entries from `start` on, of any run. Raises `UnknownRun`, `Pruned`."""
        ...

    async def follow(self, run_id: str, start: int, wake: Callable[[], None] | None = None) -> Cursor:
        """Return a cursor at `start`; `wake`, where given, is called on the loop after new entries were committed.

        `start` may lie past the end: then entries before it are never shown. Raises `UnknownRun`, `Pruned`.
        """
        ...

    async def seal(self, run_id: str, epoch: int) -> None:
        """End the log: return when all that was appended is durable; nothing can be appended any more.

        Raises `Fenced`. Sealing a sealed run again under the same epoch is harmless.
        """
        ...

    async def unsealed(self) -> list[Stored]:
        """Return the runs that were never sealed: after a crash, those that it cut."""
        ...

    async def remove(self, run_ids: Sequence[str]) -> None:
        """Forget these runs and all their entries. Unknown ones are ignored; readers of live ones are cut."""
        ...

    async def prune(self, sealed_before_ms: int) -> int:
        """Remove the entries of runs sealed before this time (Unix ms); return of how many runs."""
        ...

    async def close(self) -> None:
        """Commit what was appended and let go of the files."""
        ...
