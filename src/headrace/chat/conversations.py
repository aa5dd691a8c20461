"""This module shows conversations as they are now: what is stored, and over it what is being made."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from headrace.chat.notices import Board, Kind, Notice
from headrace.core.clock import Clock
from headrace.core.fold import Fold, join
from headrace.core.principal import Principal
from headrace.core.status import LIVE
from headrace.journal.port import Journal
from headrace.runs.engine import Engine
from headrace.store import records
from headrace.store.store import Store

__all__ = ["Conversations", "Shown"]


class Shown(msgspec.Struct, frozen=True):
    """A message and, where it is being made, the number of the last event that its parts hold."""

    message: records.Message
    seq: int | None


class Conversations:
    """Reads, changes and removes; the owner is checked in every query, and the owner's open pages are told."""

    def __init__(self, store: Store, engine: Engine, journal: Journal, board: Board, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._journal = journal
        self._board = board
        self._clock = clock

    async def create_chat(self, principal: Principal, **given: Any) -> records.Chat:
        """Make a chat of what `Chats.create` takes."""
        chat = await self._store.chats.create(principal, **given, now_ms=self._clock.now_ms())
        self._tell(principal, "chat.created", chat.id)
        return chat

    async def change_chat(self, principal: Principal, chat_id: int, changes: records.ChatChanges) -> records.Chat:
        """Change what is given of a chat. Raises `NotFound`."""
        chat = await self._store.chats.update(principal, chat_id, changes, now_ms=self._clock.now_ms())
        self._tell(principal, "chat.changed", chat_id)
        return chat

    async def tree(self, principal: Principal, chat_id: int) -> tuple[records.Chat, tuple[Shown, ...]]:
        """Return a chat and all its messages. Raises `NotFound`."""
        tree = await self._store.messages.tree(principal, chat_id)
        shown = [await self._now(principal, message) for message in tree.messages]
        return tree.chat, tuple(shown)

    async def message(self, principal: Principal, message_id: int) -> Shown:
        """Return a message. Raises `NotFound`."""
        return await self._now(principal, await self._store.messages.get(principal, message_id))

    async def check_run(self, principal: Principal, run_id: str) -> None:
        """Raise `NotFound` where this is no run of the caller's."""
        live = self._engine.get(run_id)
        if live is None or live.spec.owner != principal.user_id:
            await self._store.runs.get(principal, run_id)

    async def run(self, principal: Principal, run_id: str) -> records.Run:
        """Return a run. Raises `NotFound`."""
        run = await self._store.runs.get(principal, run_id)
        if run.ended_at is None and await self._live(run_id) is None:
            run = await self._store.runs.get(principal, run_id)
        return self._run_now(run)

    async def runs(
        self, principal: Principal, *, statuses: Sequence[str] | None, limit: int, before: str | None
    ) -> records.Page[records.Run]:
        """Return runs, the newest first. A live status is the engine's to tell: rows say `queued` until the end."""
        live = {status for status in statuses or () if status in LIVE}
        stored = None if statuses is None else [*(set(statuses) - live), *([records.UNFINISHED] if live else [])]
        page = await self._store.runs.list(principal, statuses=stored, limit=limit, before=before)
        now = [self._run_now(run) for run in page.items]
        return records.Page(tuple(run for run in now if statuses is None or run.status in statuses), page.next)

    async def stop(self, principal: Principal, run_id: str) -> str:
        """Stop a run and return its status once its end is durable. Raises `NotFound`."""
        run = self._engine.get(run_id)
        if run is None or run.spec.owner != principal.user_id:
            stored = await self._store.runs.get(principal, run_id)
            await self._engine.settled(run_id)
            return stored.status if stored.ended_at is not None else (await self.run(principal, run_id)).status
        status = await self._engine.stop(run_id)
        return status or (await self.run(principal, run_id)).status

    async def delete_chat(self, principal: Principal, chat_id: int) -> None:
        """Remove a chat: its runs are stopped, its messages and all events removed. Raises `NotFound`.

        Events go first: a crash in between leaves a chat that can be deleted again, never text that nobody can reach.
        """
        tree = await self._store.messages.tree(principal, chat_id)
        await self._forget(run_id for message in tree.messages for run_id in message.runs)
        # a turn that came in between has runs of its own
        await self._forget(await self._store.chats.delete(principal, chat_id))
        self._tell(principal, "chat.deleted", chat_id)

    async def delete_message(self, principal: Principal, message_id: int) -> None:
        """Remove a message and all that follows it. Raises `NotFound`."""
        message = await self._store.messages.get(principal, message_id)
        tree = await self._store.messages.tree(principal, message.chat_id)
        below = {message_id}
        for each in tree.messages:  # parents come before their children
            if each.parent_id in below:
                below.add(each.id)
        await self._forget(run_id for each in tree.messages if each.id in below for run_id in each.runs)
        await self._forget(await self._store.messages.delete(principal, message_id))
        self._tell(principal, "message.deleted", message.chat_id, message_id)

    def _tell(self, principal: Principal, kind: Kind, chat_id: int, message_id: int | None = None) -> None:
        self._board.post(principal.user_id, Notice(type=kind, chat_id=chat_id, message_id=message_id))

    async def _forget(self, run_ids: Iterable[str]) -> None:
        ids = list(run_ids)
        for run_id in ids:
            await self._engine.stop(run_id, by="deleted")
        for run_id in ids:
            await self._engine.settled(run_id)
        if ids:
            await self._journal.remove(ids)

    async def _now(self, principal: Principal, message: records.Message) -> Shown:
        if message.status not in LIVE or not message.runs:
            return Shown(message, None)
        live = await self._live(message.runs[-1])
        if live is None:
            # it ended since the row was read
            return Shown(await self._store.messages.get(principal, message.id), None)
        status, model, made = live
        parts = join(message.parts, made.parts)
        return Shown(msgspec.structs.replace(message, status=status, model=model, parts=parts), made.seq)

    async def _live(self, run_id: str) -> tuple[str, str | None, Fold] | None:
        """Return status, model and message so far; None once the end can be seen, and then it is stored too."""
        live = await self._engine.snapshot(run_id)
        if live is None or live[2].terminal is None:
            return live
        await self._engine.settled(run_id)
        return None

    def _run_now(self, run: records.Run) -> records.Run:
        live = self._engine.get(run.id) if run.ended_at is None else None
        if live is None:
            return run
        return msgspec.structs.replace(run, status=live.status, model=live.model)
