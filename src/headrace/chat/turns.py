"""This module takes one turn of a conversation from start to end: stored, answered by a run, stored again."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from headrace.core import events
from headrace.core.clock import Clock
from headrace.core.errors import Conflict
from headrace.core.ids import new_run_id
from headrace.core.messages import Part, Request
from headrace.core.principal import Principal
from headrace.core.status import LIVE
from headrace.models.catalogue import Catalogue
from headrace.runs.engine import Engine
from headrace.runs.port import Outcome, Prepare, Spec
from headrace.store import records
from headrace.store.store import Store

__all__ = ["Asked", "Turns", "settle", "spec_of"]


Call = Callable[..., Awaitable[records.Turn]]
"""One of the store's calls that begin a turn, all but `store.turns.Asked` given."""


Body = tuple[Any, ...]
"""What was asked for: the same twice has the same hash."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How the caller wants an answer made. `client_id` makes asking again harmless."""

    model: str | None = None
    parameters: dict[str, Any] = {}
    client_id: str | None = None


class Turns:
    """Starts turns. What it returns is stored, and its run goes on by itself."""

    def __init__(self, store: Store, engine: Engine, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._catalogue = catalogue
        self._clock = clock

    async def begin(
        self,
        principal: Principal,
        chat_id: int,
        parts: tuple[Part, ...],
        asked: Asked,
        *,
        parent_id: int | msgspec.UnsetType | None = msgspec.UNSET,
    ) -> records.Turn:
        """Store the user's message below `parent_id` (UNSET: the chat's leaf; None: nothing) and start its answer.

        Raises `NotFound`; `Conflict` with code `chat_busy` where the message to answer is still being made, or
        `client_id_reused`; `BadField` for a parent in another chat; `Overloaded`.
        """
        call = partial(self._store.turns.begin, principal, chat_id, parts=parts, parent_id=parent_id)
        return await self._start(principal, call, asked, ("turn", chat_id, parts, parent_id, asked))

    async def regenerate(self, principal: Principal, message_id: int, asked: Asked) -> records.Turn:
        """Start another answer beside this one (or below this message of the user's). Raises as `begin` does."""
        call = partial(self._store.turns.regenerate, principal, message_id)
        return await self._start(principal, call, asked, ("regenerate", message_id, asked))

    async def resume(self, principal: Principal, message_id: int, asked: Asked) -> records.Turn:
        """Go on with an answer that was cut: the same message grows.

        Raises as `begin` does, and `Conflict` with code `not_continuable` for an answer that is whole, or
        `continue_unsupported` where its model's provider cannot go on with a text.
        """
        await self._check_continue(asked.model or await self._answered_by(principal, message_id))
        call = partial(self._store.turns.resume, principal, message_id)
        return await self._start(principal, call, asked, ("continue", message_id, asked))

    async def _start(self, principal: Principal, call: Call, asked: Asked, body: Body) -> records.Turn:
        # once stored, the run must start, whoever hangs up meanwhile
        return await asyncio.shield(asyncio.ensure_future(self._begun(principal, call, asked, body)))

    async def _begun(self, principal: Principal, call: Call, asked: Asked, body: Body) -> records.Turn:
        with self._engine.admit():
            turn = await self._stored(call, asked, body)
            if turn.created:
                await self._engine.start(_spec(turn, principal), _prepare(turn))
        return turn

    async def _stored(self, call: Call, asked: Asked, body: Body) -> records.Turn:
        named = partial(
            call,
            model=asked.model,
            parameters=asked.parameters,
            client_id=asked.client_id,
            body_hash=_hash(*body) if asked.client_id is not None else None,
            now_ms=self._clock.now_ms(),
        )
        try:
            return await named(run_id=new_run_id())
        except Conflict as conflict:
            if conflict.code != "chat_busy" or not self._is_ending(conflict.details["run_id"]):
                raise
            # its end is visible already, but not stored yet: a client that has seen it may go on
            await self._engine.settled(conflict.details["run_id"])
        return await named(run_id=new_run_id())

    def _is_ending(self, run_id: str) -> bool:
        run = self._engine.get(run_id)
        return run is None or run.ending

    async def _answered_by(self, principal: Principal, message_id: int) -> str | None:
        message = await self._store.messages.get(principal, message_id)
        if message.status not in LIVE or not message.runs:
            return message.model
        run = self._engine.get(message.runs[-1])
        if run is not None and not run.ending:
            return run.model
        # its end is decided, but which model it was is stored with the end
        await self._engine.settled(message.runs[-1])
        return (await self._store.messages.get(principal, message_id)).model

    async def _check_continue(self, model: str | None) -> None:
        target = await self._catalogue.resolve(model)
        if not target.can_continue:
            raise Conflict(
                f"{target.id} cannot go on with a text that it is given. Regenerate the answer instead.",
                code="continue_unsupported",
                remedy="regenerate",
            )


def settle(store: Store) -> Callable[[str, Outcome], Awaitable[object]]:
    """Return what puts a run's outcome into its message. Fills `runs.port.Settle`."""

    async def put(run_id: str, outcome: Outcome) -> None:
        terminal = outcome.terminal
        usage = outcome.usage
        failed = terminal if isinstance(terminal, events.RunFailed) else None
        await store.runs.finish(
            run_id,
            records.Outcome(
                status=outcome.status,
                parts=outcome.parts,
                ended_at=outcome.ended_at,
                model=outcome.model,
                usage=usage and msgspec.structs.replace(usage, timings=None),
                timings=usage.timings if usage is not None else None,
                error=records.Failure(failed.code, failed.message, failed.retryable) if failed is not None else None,
                finish_reason=terminal.reason if isinstance(terminal, events.RunFinished) else None,
            ),
        )

    return put


def spec_of(run: records.Run) -> Spec:
    """Return what a stored run was started with."""
    return Spec(
        run_id=run.id,
        owner=run.owner_id,
        model=run.model_requested,
        parameters=run.parameters,
        chat_id=run.chat_id,
        user_message_id=run.user_message_id,
        assistant_message_id=run.message_id,
        continues=run.continues,
    )


def _spec(turn: records.Turn, principal: Principal) -> Spec:
    return Spec(
        run_id=turn.run_id,
        owner=principal.user_id,
        model=turn.model,
        parameters=turn.parameters,
        chat_id=turn.chat_id,
        user_message_id=turn.user_message_id,
        assistant_message_id=turn.assistant_message_id,
        continues=turn.continues,
    )


def _prepare(turn: records.Turn) -> Prepare:
    request = Request(model="", messages=turn.history, parameters=turn.parameters, continues=turn.continues)

    async def prepare(_emit: Callable[[list[events.Event]], None]) -> Request:
        return request

    return prepare


def _hash(*what: object) -> str:
    return hashlib.sha256(msgspec.json.encode([_plain(one) for one in what])).hexdigest()


def _plain(value: Any) -> Any:
    return "unset" if value is msgspec.UNSET else value
